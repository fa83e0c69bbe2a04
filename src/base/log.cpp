#include "base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <pthread.h>

#include "base/bytes.hpp"
#include "base/clock.hpp"

namespace mansio::base {
namespace {
constexpr std::size_t longest_value = 512;
constexpr std::size_t most_waiting = std::size_t{1} << 20U;  // octets; whoever writes more than the disk takes waits for it
constexpr auto written_together = std::chrono::milliseconds{10};

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

/// Most values need no escape at all.
bool is_plain(std::string_view raw) noexcept
{
    return raw.size() <= longest_value && std::ranges::all_of(raw, [](char c) { return c >= 0x20 && c < 0x7F && c != '\\' && c != '"'; });
}

void append_json(std::string& out, std::string_view raw)
{
    out += '"';
    if (is_plain(raw))
        out += raw;
    else
        // printable() leaves `\` doubled and no control octets, so only the quote is left to escape; its \xNN would not be
        // JSON, so the backslashes are doubled once more by this loop on purpose: a reader sees the text \xNN.
        for (char const c : printable(raw, longest_value)) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
    out += '"';
}

void append_human(std::string& out, std::string_view raw)
{
    if (!raw.empty() && is_plain(raw) && raw.find_first_of(" =") == std::string_view::npos) {
        out += raw;
        return;
    }
    auto const text = printable(raw, longest_value);
    if (!text.empty() && text.find_first_of(" \"=") == std::string::npos) {
        out += text;
        return;
    }
    out += '"';
    for (char const c : text) {
        if (c == '"') out += '\\';
        out += c;
    }
    out += '"';
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

/// Lines wait a moment, to be written together: a write for each would cost a busy server more than the line.
class spd_log final : public log {
public:
    spd_log(log_format format, log_level least, std::string const& file) : format_(format), least_(least)
    {
        if (file.empty())
            sink_ = std::make_shared<spdlog::sinks::stderr_sink_st>();
        else
            sink_ = std::make_shared<spdlog::sinks::basic_file_sink_st>(file);
        logger_ = std::make_unique<spdlog::logger>("mansio", sink_);
        logger_->set_pattern("%v");
        logger_->set_level(spdlog::level::trace);
        logger_->flush_on(spdlog::level::trace);
        thread_ = std::thread{[this] { serve(); }};
        pthread_setname_np(thread_.native_handle(), "log");
    }
    ~spd_log() override
    {
        {
            std::lock_guard const lock{mutex_};
            stopping_ = true;
            arrived_.notify_one();
        }
        thread_.join();
        write_out();
    }
    spd_log(spd_log const&) = delete;
    spd_log& operator=(spd_log const&) = delete;

    void write(log_level level, std::string_view event, std::initializer_list<field> fields) override
    {
        if (level < least_) return;
        auto const line = format_event(format_, time_text(system_clock().wall()), level, event, fields);
        bool first = false, at_once = level == log_level::error;
        {
            std::lock_guard const lock{mutex_};
            first = waiting_.empty();
            if (!first) waiting_ += '\n';
            waiting_ += line;
            at_once = at_once || waiting_.size() > most_waiting;
            if (first && !at_once) arrived_.notify_one();
        }
        if (at_once) write_out();
    }

private:
    void serve()
    {
        std::unique_lock lock{mutex_};
        while (!stopping_) {
            arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            arrived_.wait_for(lock, written_together, [this] { return stopping_; });
            lock.unlock();
            write_out();
            lock.lock();
        }
    }
    void write_out()
    {
        std::lock_guard const turn{turn_};  // before the lines are taken: they stay in order
        {
            std::lock_guard const lock{mutex_};
            lines_.swap(waiting_);
        }
        if (!lines_.empty()) logger_->log(spdlog::level::info, "{}", lines_);
        lines_.clear();
    }

    log_format format_;
    log_level least_;
    spdlog::sink_ptr sink_;
    std::unique_ptr<spdlog::logger> logger_;
    std::mutex turn_;
    std::string lines_;  ///< of whoever has the turn
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::string waiting_;
    bool stopping_ = false;
    std::thread thread_;
};

class nothing final : public log {
public:
    void write(log_level, std::string_view, std::initializer_list<field>) override {}
};
}  // namespace

std::string format_event(log_format format, std::string_view time, log_level level, std::string_view event, std::initializer_list<field> fields)
{
    std::string line;
    line.reserve(256);
    if (format == log_format::json) {
        line.append(R"({"time":")").append(time).append(R"(","level":")").append(level_name(level)).append(R"(","event":)");
        append_json(line, event);
        for (auto const& f : fields) {
            line += ',';
            append_json(line, f.name);
            line += ':';
            append_json(line, f.value);
        }
        line += '}';
        return line;
    }
    constexpr std::size_t level_column = 8;
    auto const name = level_name(level);
    line.append(time).append(" ").append(name).append(level_column - name.size(), ' ').append(printable(event));
    for (auto const& f : fields) {
        line.append(" ").append(printable(f.name)).append("=");
        append_human(line, f.value);
    }
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
