#include <libpsl.h>

#include "mailauth/dmarc.hpp"

namespace mansio::mailauth {

struct public_suffixes::list {
    psl_ctx_t* loaded = nullptr;
    psl_ctx_t const* in_use = nullptr;
    list() : loaded(psl_latest(nullptr)), in_use(loaded != nullptr ? loaded : psl_builtin()) {}
    ~list() { psl_free(loaded); }
    list(list const&) = delete;
    list& operator=(list const&) = delete;
};

public_suffixes::public_suffixes() : list_(std::make_unique<list>()) {}
public_suffixes::~public_suffixes() = default;

std::string public_suffixes::registrable(std::string_view name) const
{
    std::string const whole{name};
    auto const* const at = list_->in_use == nullptr ? nullptr : psl_registrable_domain(list_->in_use, whole.c_str());
    return at == nullptr ? whole : std::string{at};
}

}  // namespace mansio::mailauth
