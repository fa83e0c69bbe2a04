#include "base/log.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "support/support.hpp"

using namespace mansio::base;

namespace {
constexpr std::string_view when = "2026-01-01T00:00:00.000Z";

/// What strangers send to forge lines, steer terminals and break parsers.
std::vector<std::string> hostile()
{
    std::vector<std::string> all{
        "plain",          "",
        "two words",      "a=b c=d",
        "say \"hi\"",     "back\\slash",
        "end\\",          "\"",
        "\\\"",           "line\nlevel=error event=forged",
        "line\r\nforged", "\x1b[2J\x1b]0;title\x07",
        "tab\there",      std::string("nul\0inside", 10),
        "\x7f",           std::string("\xc2\x9b") + "31m",
        "\xff\xfe",       "gr\xc3\xbc\xc3\x9f",
        "\xe2\x80\xa8",   "{\"event\":\"forged\"}",
        "}\n{",           "\xed\xa0\x80",
    };
    seeded_random r{42};
    for (int i = 0; i < 500; ++i) all.push_back(r.octets(r.below(64)));
    return all;
}

/// Reads `NAME=VALUE` pairs of a human line back, as a person's script would.
std::vector<std::pair<std::string, std::string>> human_fields(std::string_view rest)
{
    std::vector<std::pair<std::string, std::string>> out;
    while (!rest.empty()) {
        if (rest.front() == ' ') {
            rest.remove_prefix(1);
            continue;
        }
        auto const equals = rest.find('=');
        if (equals == std::string_view::npos) return {};
        std::string name{rest.substr(0, equals)};
        rest.remove_prefix(equals + 1);
        std::string value;
        if (rest.starts_with('"')) {
            rest.remove_prefix(1);
            while (!rest.empty() && rest.front() != '"') {
                if (rest.front() == '\\' && rest.size() > 1) {
                    value += rest.substr(0, 2) == "\\\"" ? "\"" : std::string{rest.substr(0, 2)};
                    rest.remove_prefix(2);
                } else {
                    value += rest.front();
                    rest.remove_prefix(1);
                }
            }
            if (rest.empty()) return {};
            rest.remove_prefix(1);
        } else {
            auto const end = std::min(rest.find(' '), rest.size());
            value = rest.substr(0, end);
            rest.remove_prefix(end);
        }
        out.emplace_back(std::move(name), std::move(value));
    }
    return out;
}

bool only_harmless_octets(std::string_view line)
{
    for (unsigned char const c : line)
        if (c < 0x20 || c == 0x7f) return false;
    return is_utf8(line);
}
}  // namespace

TEST(log, a_json_line_is_one_object_that_reads_back)
{
    for (auto const& value : hostile()) {
        auto const line = format_event(log_format::json, when, log_level::warning, "signed_in", {{"account", value}, {"tries", 3}});
        SCOPED_TRACE(to_hex(value));
        EXPECT_TRUE(only_harmless_octets(line));
        boost::system::error_code error;
        auto const read = boost::json::parse(line, error);
        ASSERT_FALSE(error) << line;
        auto const& object = read.as_object();
        EXPECT_EQ(object.size(), 5U) << "a stranger added a field: " << line;
        EXPECT_EQ(object.at("level").as_string(), "warning");
        EXPECT_EQ(object.at("event").as_string(), "signed_in");
        EXPECT_EQ(object.at("tries").as_string(), "3");
        EXPECT_EQ(std::string(object.at("account").as_string()), printable(value));
    }
}

TEST(log, a_human_line_reads_back_and_forges_nothing)
{
    for (auto const& value : hostile()) {
        auto const line = format_event(log_format::human, when, log_level::info, "signed_in", {{"account", value}, {"tries", 3}});
        SCOPED_TRACE(to_hex(value));
        EXPECT_TRUE(only_harmless_octets(line));
        auto const head = std::string{when} + " info    signed_in";
        ASSERT_EQ(line.substr(0, head.size()), head);
        auto const fields = human_fields(std::string_view{line}.substr(head.size()));
        ASSERT_EQ(fields.size(), 2U) << line;
        EXPECT_EQ(fields[0].first, "account");
        EXPECT_EQ(fields[0].second, printable(value));
        EXPECT_EQ(fields[1], (std::pair<std::string, std::string>{"tries", "3"}));
    }
}

TEST(log, a_hostile_event_or_field_name_forges_nothing_either)
{
    for (auto const& name : hostile()) {
        auto const json = format_event(log_format::json, when, log_level::error, name, {{name, name}});
        boost::system::error_code error;
        auto const read = boost::json::parse(json, error);
        ASSERT_FALSE(error) << json;
        EXPECT_TRUE(only_harmless_octets(format_event(log_format::human, when, log_level::error, name, {{name, name}})));
    }
}

TEST(log, a_long_value_is_cut)
{
    auto const line = format_event(log_format::json, when, log_level::info, "e", {{"v", std::string(100'000, 'a')}});
    EXPECT_LT(line.size(), 700U);
    EXPECT_NE(line.find("aaa..."), std::string::npos);
    auto const escaped = format_event(log_format::human, when, log_level::info, "e", {{"v", std::string(100'000, '\n')}});
    EXPECT_LT(escaped.size(), 512U * 4 + 100);
}

TEST(log, a_file_gets_whole_lines_from_the_least_level_on)
{
    auto const path = std::filesystem::temp_directory_path() / ("mansio-log-" + to_hex(system_random().octets(8)));
    {
        auto const log = make_log(log_format::json, log_level::info, path.string());
        log->debug("hidden", {{"secret", "x"}});
        log->info("first", {{"n", 1}});
        log->error("second", {{"why", mansio::fault{mansio::fault::kind::timeout, "too slow", "peer\n1"}}});
    }
    auto const text = mansio::test::read_file(path.string());
    std::filesystem::remove(path);
    EXPECT_EQ(text.find("hidden"), std::string::npos);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
    EXPECT_NE(text.find("\"event\":\"first\",\"n\":\"1\"}\n"), std::string::npos) << text;
    EXPECT_NE(text.find("timeout: too slow (peer"), std::string::npos) << text;
}

TEST(log, an_error_is_in_the_file_at_once_with_all_that_came_before_it)
{
    auto const path = std::filesystem::temp_directory_path() / ("mansio-log-" + to_hex(system_random().octets(8)));
    auto const log = make_log(log_format::human, log_level::info, path.string());
    for (int i = 0; i < 100; ++i) log->info("before", {{"n", i}});
    log->error("bad");
    auto const text = mansio::test::read_file(path.string());
    std::filesystem::remove(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 101);
    EXPECT_TRUE(text.ends_with(" error   bad\n")) << text;
}

TEST(log, lines_of_many_threads_stay_whole_and_each_threads_in_order)
{
    auto const path = std::filesystem::temp_directory_path() / ("mansio-log-" + to_hex(system_random().octets(8)));
    constexpr int threads = 4, lines = 5000;  // more than the bound of what waits, so that writers write too
    {
        auto const log = make_log(log_format::human, log_level::info, path.string());
        std::vector<std::thread> all;
        all.reserve(threads);
        for (int t = 0; t < threads; ++t)
            all.emplace_back([&log, t] {
                for (int i = 0; i < lines; ++i) log->info("line", {{"t", t}, {"i", i}, {"x", std::string(100, 'x')}});
            });
        for (auto& t : all) t.join();
    }
    std::istringstream text{mansio::test::read_file(path.string())};
    std::filesystem::remove(path);
    std::array<int, threads> next{};
    for (std::string line; std::getline(text, line);) {
        auto const fields = human_fields(std::string_view{line}.substr(line.find(" t=")));
        ASSERT_EQ(fields.size(), 3U) << line;
        ASSERT_EQ(fields[1].second, std::to_string(next.at(std::stoul(fields[0].second))++));
    }
    for (auto const n : next) EXPECT_EQ(n, lines);
}

TEST(log, memory_and_null)
{
    memory_log memory;
    memory.info("hello", {{"who", "alice"}});
    EXPECT_EQ(memory.text(), "- info    hello who=alice\n");
    null_log().error("nothing");
}
