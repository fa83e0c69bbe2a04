// The stages themselves, each in its own file. Included by pipeline.cpp and tests only.
#pragma once
#include <optional>

#include "accept/harvest.hpp"
#include "accept/pipeline.hpp"
#include "accept/srs.hpp"

namespace mansio::accept {

/// What stages work with.
struct workshop {
    parts with;
    options set;
    srs rewriter;
    harvest_table harvest;
    std::vector<std::string> authserv_ids;  // lower case
};

namespace stages {
using stage_result = task<decision>;
/// An address of theirs: their own, one of its subaddresses, or an alias that leads to them (trust.md R2). Errors: try_later, broken.
[[nodiscard]] task<result<bool>> is_address_of(workshop& w, mime::mailbox_address address, store::account_number account);
stage_result connect(workshop& w, message& m);
stage_result greet(workshop& w, message& m);
stage_result sender(workshop& w, message& m);
stage_result recipient(workshop& w, message& m);
stage_result octets(workshop& w, message& m);
stage_result parse(workshop& w, message& m);
stage_result authenticate(workshop& w, message& m);
stage_result sign(workshop& w, message& m);
stage_result commit(workshop& w, message& m);
}  // namespace stages

/// A name for logs and metrics, and the deed.
struct stage {
    std::string_view name;
    task<decision> (*run)(workshop&, message&);
};

}  // namespace mansio::accept
