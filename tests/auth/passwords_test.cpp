#include "auth/passwords.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

using namespace mansio;

TEST(common_passwords, are_many_sorted_and_found)
{
    auto const all = auth::common_passwords();
    std::size_t lines = 0;
    std::string_view before;
    for (std::size_t at = 0; at < all.size();) {
        auto const end = all.find('\n', at);
        ASSERT_NE(end, std::string_view::npos) << "the last line has an end too";
        auto const line = all.substr(at, end - at);
        ASSERT_LT(before, line);
        EXPECT_EQ(base::to_lower_ascii(line), line);
        if (lines % 97 == 0) EXPECT_TRUE(auth::is_common_password(line)) << line;
        before = line;
        at = end + 1;
        ++lines;
    }
    EXPECT_TRUE(auth::is_common_password(before));
    EXPECT_GE(lines, 10'000U);
    for (std::string_view const s : {"123456", "password", "PassWord", "qwertyuiop"}) EXPECT_TRUE(auth::is_common_password(s)) << s;
    for (std::string_view const s : {"", "passwordx1", "passwordd1x", "correct horse", "\n", "password\n", "~~~~~", "123456\n123456"})
        EXPECT_FALSE(auth::is_common_password(s)) << s;
}

TEST(portal_password, what_is_refused)
{
    struct {
        std::string_view password;
        bool good;
    } const cases[] = {
        {"correct horse battery staple", true},
        {"g7!kd9-02mvpq", true},
        {"\xD0\xBF\xD0\xB0\xD1\x80\xD0\xBE\xD0\xBB\xD1\x8C \xD0\xB4\xD0\xBB\xD1\x8F \xD0\xBC\xD0\xB5\xD0\xBD\xD1\x8F", true},
        {"elevenchars", false},
        {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA8", false},  // seven characters in fourteen octets
        {"qwertyuiop123", false},       // common, with digits after it
        {"!!Password2024!!", false},
        {"123456789012", false},
        {"aaaaaaaaaaaaaa", false},
        {"abcabcabcabcabc", false},
        {"alice.long@example.test", false},
        {"Alice.Long@Example.Test", false},
        {"alice.long12", false},
    };
    for (auto const& c : cases) EXPECT_EQ(!auth::refuse_password(c.password, "alice.long@example.test").has_value(), c.good) << c.password;
}

TEST(portal_password, is_prepared_as_an_opaque_string)
{
    EXPECT_EQ(auth::prepare_password("caf\x65\xCC\x81 noir").value(), "caf\xC3\xA9 noir");          // NFC
    EXPECT_EQ(auth::prepare_password("a\xC2\xA0"
                                     "b\xE3\x80\x80"
                                     "c")
                  .value(),
              "a b c");               // blanks
    EXPECT_EQ(auth::prepare_password("Case Kept").value(), "Case Kept");
    for (auto const& bad : {std::string{}, std::string("a\0b", 3), std::string{"a\tb"}, std::string{"\xFF"}, std::string{"\xC2\x85x"}, std::string(1025, 'a')})
        EXPECT_FALSE(auth::prepare_password(bad)) << base::printable(bad);
}

TEST(portal_password, argon2id_is_the_known_function)
{
    // Argon2id, 19,456 KiB, two passes, one lane; checked against another implementation (Debian's argon2 program).
    auto const got = auth::argon2id("password", "somesaltsomesalt", auth::argon2_memory_kib, auth::argon2_passes);
    ASSERT_TRUE(got);
    EXPECT_EQ(base::to_hex(*got), "2b5dc4054886ec957ef59c73b661c54dd6fb274590b278f657c6d96aac8fa6d1");
}
