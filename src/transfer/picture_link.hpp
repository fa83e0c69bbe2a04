// A picture of the running server's store, over the transfer socket (docs/formats/transfer.md): both ends.
#pragma once
#include <memory>
#include <string_view>

#include "net/stream.hpp"
#include "store/picture.hpp"
#include "transfer/json.hpp"
#include "transfer/link.hpp"

namespace mansio::transfer {

/// The server's end: answers requests that begin with "picture". The picture is taken by the first and goes with the conversation.
class picture_service {
public:
    picture_service(store::engine& storage, base::log& log) : storage_(storage), log_(log) {}
    struct answer {
        json::object head;   ///< "octets" is filled in by whoever sends it
        std::string octets;
    };
    [[nodiscard]] task<result<answer>> serve(std::string what, json::object asked);

private:
    store::engine& storage_;
    base::log& log_;
    std::unique_ptr<store::picture> picture_;
};

/// The command's end. `to` outlives it. Errors: as link's.
[[nodiscard]] task<result<std::unique_ptr<store::picture>>> take_remote_picture(link& to);

}  // namespace mansio::transfer
