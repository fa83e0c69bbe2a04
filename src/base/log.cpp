#include "base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>

#include "base/bytes.hpp"
#include "base/clock.hpp"

namespace mansio::base {
namespace {
std::string_view level_name(log_level l)
{
    switch (l) {
    case log_level::debug: return "debug";
    case log_level::info: return "info";
    case log_level::warning: return "warning";
    case log_level::error: return "error";
    }
    return "?";
}

std::string json_string(std::string_view raw)
{
    // printable() leaves `\` doubled and no control octets, so only the quote is left to escape; its \xNN would not be
    // JSON, so the backslashes are doubled once more by this loop on purpose: a reader sees the text \xNN.
    std::string out = "\"";
    for (char const c : printable(raw)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string human_value(std::string_view raw)
{
    auto const text = printable(raw);
    if (!text.empty() && text.find_first_of(" \"=") == std::string::npos) return text;
    std::string out = "\"";
    for (char const c : text) {
        if (c == '"') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string time_text(wall_time now)
{
    auto const us = now.time_since_epoch().count();
    std::time_t const seconds = us / 1'000'000;
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                       us / 1000 % 1000);
}

class spd_log final : public log {
public:
    spd_log(log_format format, log_level least, std::string const& file) : format_(format), least_(least)
    {
        if (file.empty())
            sink_ = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        else
            sink_ = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
        logger_ = std::make_unique<spdlog::logger>("mansio", sink_);
        logger_->set_pattern("%v");
        logger_->set_level(spdlog::level::trace);
        logger_->flush_on(spdlog::level::trace);
    }
    void write(log_level level, std::string_view event, std::initializer_list<field> fields) override
    {
        if (level < least_) return;
        auto const line = format_event(format_, time_text(system_clock().wall()), level, event, fields);
        logger_->log(spdlog::level::info, "{}", line);
    }

private:
    log_format format_;
    log_level least_;
    spdlog::sink_ptr sink_;
    std::unique_ptr<spdlog::logger> logger_;
};

class nothing final : public log {
public:
    void write(log_level, std::string_view, std::initializer_list<field>) override {}
};
}  // namespace

std::string format_event(log_format format, std::string_view time, log_level level, std::string_view event, std::initializer_list<field> fields)
{
    std::string line;
    if (format == log_format::json) {
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"event\":{}", time, level_name(level), json_string(event));
        for (auto const& f : fields) line += fmt::format(",{}:{}", json_string(f.name), json_string(f.value));
        return line + "}";
    }
    line = fmt::format("{} {:<7} {}", time, level_name(level), printable(event));
    for (auto const& f : fields) line += fmt::format(" {}={}", printable(f.name), human_value(f.value));
    return line;
}

std::unique_ptr<log> make_log(log_format format, log_level least, std::string const& file) { return std::make_unique<spd_log>(format, least, file); }

struct memory_log::state {
    mutable std::mutex mutex;
    std::string text;
};
memory_log::memory_log() : state_(std::make_unique<state>()) {}
memory_log::~memory_log() = default;
void memory_log::write(log_level level, std::string_view event, std::initializer_list<field> fields)
{
    std::lock_guard const lock{state_->mutex};
    state_->text += format_event(log_format::human, "-", level, event, fields) + "\n";
}
std::string memory_log::text() const
{
    std::lock_guard const lock{state_->mutex};
    return state_->text;
}

log& null_log()
{
    static nothing the_log;
    return the_log;
}

}  // namespace mansio::base
