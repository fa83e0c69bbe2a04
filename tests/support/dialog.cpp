#include "support/dialog.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <regex>

#include "base/bytes.hpp"

namespace mansio::test {
namespace {

using std::chrono_literals::operator""s;
constexpr auto patience = 10s;  // of the loop's clock, for one line

struct step {
    std::string who, what, text;
    std::size_t line = 0;
};

/// Runs one file. Every failure is a sentence; the first ends the run.
class runner {
public:
    explicit runner(dialog_setting s) : setting_(std::move(s)) {}
    ~runner()
    {
        for (auto& [name, c] : open_) c->raw().abort();
        open_.clear();
        setting_.loop.run_ready();
    }
    std::string run(std::string_view text);

private:
    using connection = net::buffered_stream;
    std::string perform(step const& s);
    std::string directive(step const& s);
    std::string send(connection& c, std::string octets);
    std::string expect_line(connection& c, step const& s);
    std::string expect_until(connection& c, step const& s);
    std::string expect_closed(connection& c);
    std::string start_tls(connection& c);
    std::string match(std::string const& line, step const& s);
    result<std::string> read(connection& c);
    connection& named(std::string const& name);
    std::string substituted(std::string text) const;
    base::monotonic_time soon() const { return setting_.loop.clock().monotonic() + patience; }

    dialog_setting setting_;
    std::map<std::string, std::unique_ptr<connection>> open_;
};

std::string unescaped(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        switch (text[++i]) {
        case 'r': out += '\r'; break;
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case '0': out += '\0'; break;
        case 'x': {
            unsigned value = 0;
            if (i + 2 < text.size()) std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
            out += static_cast<char>(value);
            i += 2;
            break;
        }
        default: out += text[i];
        }
    }
    return out;
}

/// {+octets+} becomes a literal nobody waits for: "{6+}" CRLF octets.
std::string with_literals(std::string const& text)
{
    std::string out;
    std::size_t at = 0;
    for (auto open = text.find("{+"); open != std::string::npos; open = text.find("{+", at)) {
        auto const end = text.find("+}", open);
        if (end == std::string::npos) break;
        auto const octets = unescaped(std::string_view{text}.substr(open + 2, end - open - 2));
        out += unescaped(std::string_view{text}.substr(at, open - at)) + "{" + std::to_string(octets.size()) + "+}\r\n" + octets;
        at = end + 2;
    }
    return out + unescaped(std::string_view{text}.substr(at));
}

std::optional<step> parse_step(std::string_view line)
{
    auto const first = line.find_first_not_of(' ');
    if (first == std::string_view::npos || line[first] == '#') return std::nullopt;
    line.remove_prefix(first);
    step s;
    auto const name_end = std::min(line.find(' '), line.size());
    s.who = line.substr(0, name_end);
    line.remove_prefix(std::min(name_end + 1, line.size()));
    auto const verb_end = std::min(line.find(' '), line.size());
    s.what = line.substr(0, verb_end);
    s.text = line.substr(std::min(verb_end + 1, line.size()));
    return s;
}

std::string runner::run(std::string_view text)
{
    std::size_t number = 0;
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        auto s = parse_step(line);
        if (!s) continue;
        s->line = number;
        if (auto wrong = perform(*s); !wrong.empty()) return "line " + std::to_string(number) + " `" + std::string{line} + "`: " + wrong;
    }
    return {};
}

std::string runner::perform(step const& s)
{
    if (s.who == "wait" || s.who == "set") return directive(s);
    auto& c = named(s.who);
    if (s.what == "->") return send(c, substituted(s.text) + "\r\n");
    if (s.what == "=>") return send(c, with_literals(substituted(s.text)));
    if (s.what == "<-" || s.what == "<~") return expect_line(c, s);
    if (s.what == "<*") return expect_until(c, s);
    if (s.what == "<|") return expect_closed(c);
    if (s.what == "tls") return start_tls(c);
    if (s.what == "deflate") {
        auto const begun = c.start_deflate();
        return begun ? std::string{} : describe(begun.error());
    }
    if (s.what == "close") {
        c.raw().abort();
        open_.erase(s.who);
        setting_.loop.run_ready();
        return {};
    }
    return "no such step: " + s.what;
}

std::string runner::directive(step const& s)
{
    if (s.who == "wait") {
        setting_.loop.run_for(std::chrono::seconds{std::stoll(s.what)});
        return {};
    }
    setting_.variables[s.what] = substituted(s.text);
    return {};
}

runner::connection& runner::named(std::string const& name)
{
    auto& c = open_[name];
    if (!c) c = std::make_unique<connection>(setting_.connect(name));
    return *c;
}

std::string runner::send(connection& c, std::string octets)
{
    auto const piece = setting_.cut == 0 ? octets.size() : setting_.cut;
    for (std::size_t at = 0; at < octets.size(); at += piece) {
        c.put(std::string_view{octets}.substr(at, piece));
        auto const sent = setting_.loop.run(c.flush(soon()));
        if (!sent) return "not sent: " + describe(sent.error());
        setting_.loop.run_ready();
    }
    return {};
}

result<std::string> runner::read(connection& c)
{
    auto line = setting_.loop.run(c.read_line(1U << 20U, soon()));
    if (!line) return fail(line);
    if (line->end != net::buffered_stream::line_end::crlf) return fail(fault::kind::syntax, "a line that ends in a lone LF: " + line->text);
    return std::move(line->text);
}

std::string runner::expect_line(connection& c, step const& s)
{
    auto const line = read(c);
    if (!line) return "nothing came: " + describe(line.error());
    if (s.what == "<~") return match(*line, s);
    auto const want = substituted(s.text);
    return *line == want ? std::string{} : "came: " + base::printable(*line, 2000);
}

std::string runner::expect_until(connection& c, step const& s)
{
    std::string passed;
    while (true) {
        auto const line = read(c);
        if (!line) return "no such line came; these did:" + passed;
        if (match(*line, s).empty()) return {};
        passed += "\n    " + base::printable(*line, 2000);
    }
}

std::string runner::expect_closed(connection& c)
{
    auto const line = read(c);
    if (line) return "came: " + base::printable(*line, 2000);
    return line.error().what == fault::kind::closed ? std::string{} : "still open: " + describe(line.error());
}

std::string runner::start_tls(connection& c)
{
    if (setting_.tls == nullptr) return "this test has no TLS";
    auto const done = setting_.loop.run(c.start_tls_client(*setting_.tls, {}, soon()));
    return done ? std::string{} : describe(done.error());
}

/// {{name:pattern}} becomes a group whose match is kept as ${name}.
std::string runner::match(std::string const& line, step const& s)
{
    auto pattern = substituted(s.text);
    std::vector<std::string> names;
    for (auto at = pattern.find("{{"); at != std::string::npos; at = pattern.find("{{", at)) {
        auto const end = pattern.find("}}", at);
        auto const colon = pattern.find(':', at);
        if (end == std::string::npos || colon > end) return "a capture is written {{name:pattern}}";
        names.push_back(pattern.substr(at + 2, colon - at - 2));
        pattern = pattern.substr(0, at) + "(" + pattern.substr(colon + 1, end - colon - 1) + ")" + pattern.substr(end + 2);
    }
    std::smatch found;
    if (!std::regex_search(line, found, std::regex{pattern})) return "came: " + base::printable(line, 2000);
    for (std::size_t i = 0; i < names.size() && i + 1 < found.size(); ++i) setting_.variables[names[i]] = found[i + 1].str();
    return {};
}

std::string runner::substituted(std::string text) const
{
    for (auto const& [name, value] : setting_.variables) {
        auto const token = "${" + name + "}";
        for (auto at = text.find(token); at != std::string::npos; at = text.find(token, at + value.size())) text.replace(at, token.size(), value);
    }
    return text;
}

}  // namespace

std::string run_dialog(std::string_view text, dialog_setting setting) { return runner{std::move(setting)}.run(text); }

std::vector<std::string> dialogs_in(std::string const& folder)
{
    std::vector<std::string> files;
    for (auto const& entry : std::filesystem::directory_iterator{folder})
        if (entry.path().extension() == ".dlg") files.push_back(entry.path().string());
    std::ranges::sort(files);
    return files;
}

}  // namespace mansio::test
