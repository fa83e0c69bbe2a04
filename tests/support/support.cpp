#include "support/support.hpp"

#include <fstream>
#include <iterator>

namespace mansio::test {

std::string read_file(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    if (!in) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace mansio::test
