// A picture of the embedded store: a snapshot of the database, and the files that it names (store/picture.hpp).
#pragma once
#include <memory>

#include "store/blob_files.hpp"
#include "store/picture.hpp"
#include "store/rocks_database.hpp"

namespace mansio::store {

/// `readers`: where it reads; they and `database` outlive it.
[[nodiscard]] std::unique_ptr<picture> take_rocks_picture(rocks_database& database, base::worker_pool& readers, std::shared_ptr<blob_files> files);

}  // namespace mansio::store
