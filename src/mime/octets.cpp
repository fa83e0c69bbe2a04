#include "mime/octets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace mansio::mime {

octets::octets(std::string text)
{
    auto kept = std::make_shared<std::string const>(std::move(text));
    view_ = *kept;
    owner_ = std::move(kept);
}

result<octets> octets::map(int fd, std::size_t size)
{
    octets out;
    if (size == 0) return out;
    void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return fail(fault::kind::broken, "message cannot be read", std::string{"mmap: "} + std::strerror(errno));
    ::madvise(at, size, MADV_SEQUENTIAL);
    out.owner_ = std::shared_ptr<void const>(at, [size](void const* p) { ::munmap(const_cast<void*>(p), size); });
    out.view_ = {static_cast<char const*>(at), size};
    out.mapped_ = true;
    return out;
}

void octets::done_with(std::size_t end) const noexcept
{
    if (!mapped_) return;
    static auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::size_t const whole = std::min(end, view_.size()) / page * page;
    // A shared mapping of a file loses nothing: the pages come back from the file.
    if (whole != 0) ::madvise(const_cast<char*>(view_.data()), whole, MADV_DONTNEED);
}

}  // namespace mansio::mime
