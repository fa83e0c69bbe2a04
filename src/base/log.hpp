// One line per event, for people or as JSON; every value is escaped, because attackers write most of them (trust.md M8).
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::base {

/// One named value of an event. Keep names to the field's terms: session, message, peer, account.
struct field {
    std::string_view name;
    std::string value;
    field(std::string_view n, std::string_view v) : name(n), value(v) {}
    field(std::string_view n, char const* v) : name(n), value(v) {}
    field(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
    field(std::string_view n, std::uint64_t v) : name(n), value(std::to_string(v)) {}
    field(std::string_view n, std::int64_t v) : name(n), value(std::to_string(v)) {}
    field(std::string_view n, int v) : name(n), value(std::to_string(v)) {}
    field(std::string_view n, unsigned v) : name(n), value(std::to_string(v)) {}
    field(std::string_view n, fault const& f) : name(n), value(describe(f)) {}
};

enum class log_level : std::uint8_t { debug, info, warning, error };

/// Where events go. Threads: safe, and never waits for a disk unless more than 1 MiB waits already. Never holds a secret, also not at debug. A value is cut at 512 octets and escaped.
class log {
public:
    virtual ~log() = default;
    virtual void write(log_level level, std::string_view event, std::initializer_list<field> fields) = 0;
    void debug(std::string_view event, std::initializer_list<field> fields = {}) { write(log_level::debug, event, fields); }
    void info(std::string_view event, std::initializer_list<field> fields = {}) { write(log_level::info, event, fields); }
    void warning(std::string_view event, std::initializer_list<field> fields = {}) { write(log_level::warning, event, fields); }
    void error(std::string_view event, std::initializer_list<field> fields = {}) { write(log_level::error, event, fields); }
};

enum class log_format : std::uint8_t { human, json };
/// To stderr (spdlog), or appended to `file` when it is not empty. Lines are written together within 10 ms, an error at once with all
/// before it; the destructor writes what waits. A process that is killed loses its last 10 ms of lines.
[[nodiscard]] std::unique_ptr<log> make_log(log_format format, log_level least, std::string const& file = {});
/// Keeps lines in memory, for tests; `null_log()` keeps nothing.
class memory_log final : public log {
public:
    memory_log();
    ~memory_log() override;
    void write(log_level level, std::string_view event, std::initializer_list<field> fields) override;
    [[nodiscard]] std::string text() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};
[[nodiscard]] log& null_log();
/// The line a log writes, without its end; exposed for tests.
[[nodiscard]] std::string format_event(log_format format, std::string_view time, log_level level, std::string_view event, std::initializer_list<field> fields);

}  // namespace mansio::base
