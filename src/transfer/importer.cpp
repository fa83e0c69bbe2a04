#include "transfer/importer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "transfer/files.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t problems_kept = 10'000;
constexpr std::size_t keys_at_once = 500;
constexpr std::size_t read_at_once = 200;

/// What was imported before, by hash of its key; one line each, appended as the server confirms.
class journal {
public:
    result<void> open(std::string const& path)
    {
        if (path.empty()) return {};
        if (auto const text = files::read_small(path, 1UL << 30U)) {
            for (std::size_t from = 0; from < text->size();) {
                auto const n = std::min(text->find('\n', from), text->size());
                if (n - from == digest_octets) known_.insert(text->substr(from, n - from));  // a line cut by a crash is none
                from = n + 1;
            }
        }
        auto out = files::writer::open(path, true);
        if (!out) return fail(out);
        out_.emplace(std::move(*out));
        return out_->put("\n");  // ends a line that a crash cut
    }
    [[nodiscard]] bool knows(std::string const& key) const { return !known_.empty() && known_.contains(digest(key)); }
    result<void> note(std::string const& key) { return out_ ? out_->put(digest(key) + "\n") : result<void>{}; }
    result<void> flush() { return out_ ? out_->flush() : result<void>{}; }

private:
    static constexpr std::size_t digest_octets = 40;
    static std::string digest(std::string const& key)
    {
        auto const d = base::sha256(key);
        return base::to_hex({reinterpret_cast<char const*>(d.data()), digest_octets / 2});
    }
    std::set<std::string> known_;
    std::optional<files::writer> out_;
};

class importer final : public message_receiver {
public:
    importer(link& to, source& from, import_options o) : link_(to), source_(from), options_(std::move(o)) {}

    task<result<import_report>> run()
    {
        auto const opened = co_await link_.ask(json::object{{"do", "open"}, {"account", options_.account}});
        if (!opened) co_return fail(opened);
        auto const noted = journal_.open(options_.journal);
        if (!noted) co_return fail(noted);
        auto folders = co_await source_.folders();
        if (!folders) co_return fail(folders);
        // UIDVALIDITY only rises within an account: lower ones must come first to be had (docs/formats/account.md).
        auto const rank = [this](source_folder const& f) {
            auto const last = ~std::uint32_t{0};  // those whose UIDs are not known
            return std::pair{!options_.keep_uids || f.uid_validity == 0 ? last : f.uid_validity, std::string_view{f.name}};
        };
        std::sort(folders->begin(), folders->end(), [&rank](source_folder const& a, source_folder const& b) { return rank(a) < rank(b); });
        for (auto& f : *folders) {
            if (!options_.only.empty() && std::find(options_.only.begin(), options_.only.end(), f.name) == options_.only.end()) continue;
            auto const done = co_await folder(f);
            if (!done) {
                if (link_lost(done)) co_return fail(done);
                trouble("", done.error().say);
            }
        }
        auto const settled = co_await settle();
        if (!settled) co_return fail(settled);
        co_return std::move(report_);
    }

    task<result<void>> message(source_message const& m, mime::octets octets) override
    {
        json::object o{{"mailbox", mailbox_}, {"key", key_of(m)}, {"date", m.date ? m.date->unix_seconds : 0}, {"zone", m.date ? m.date->zone_minutes : 0}};
        json::array flags;
        for (auto const& f : m.flags) flags.emplace_back(json_text(f));
        o["flags"] = std::move(flags);
        if (keep_uids_ && m.uid != 0) {
            o["uid"] = m.uid;
            o["or_next"] = true;
        }
        auto const size = octets.size();
        auto const asked = keep_uids_ ? m.uid : 0;
        auto then = [this, key = key_of(m), name = name_of(m), folder = folder_, size, asked](result<append_answer> a) {
            answered(key, name, folder, size, asked, a);
        };
        auto sent = co_await link_.append(std::move(o), std::move(octets), std::move(then));
        if (!sent) co_return fail(sent.error().what, sent.error().say, "link");
        co_return result<void>{};
    }

    void unreadable(source_message const& m, std::string why) override
    {
        ++report_.skipped;
        trouble(name_of(m), std::move(why));
        tell();
    }

private:
    static bool link_lost(result<void> const& r) { return r.error().detail == "link"; }
    [[nodiscard]] std::string key_of(source_message const& m) const { return "import " + source_.identity() + " " + folder_ + " " + m.key; }
    static std::string name_of(source_message const& m) { return m.uid != 0 ? fmt::format("UID {}", m.uid) : m.where.empty() ? m.key : m.where; }

    void trouble(std::string message, std::string why)
    {
        if (report_.problems.size() < problems_kept) report_.problems.push_back({folder_, std::move(message), std::move(why)});
    }
    void note(std::string what)
    {
        if (report_.notes.size() < problems_kept) report_.notes.push_back({folder_, "", std::move(what)});
    }
    void tell()
    {
        if (options_.progress) options_.progress(report_);
    }

    void answered(std::string const& key, std::string const& name, std::string const& folder, std::uint64_t size, std::uint32_t asked,
                  result<append_answer> const& a)
    {
        if (!a) {
            ++report_.skipped;
            if (report_.problems.size() < problems_kept) report_.problems.push_back({folder, name, a.error().say});
            tell();
            return;
        }
        if (a->already) {
            ++report_.already;
        } else {
            ++report_.imported;
            report_.octets += size;
            if (asked != 0 && a->uid != asked) ++report_.renumbered;
        }
        auto const noted = journal_.note(key);
        if (!noted) trouble("", noted.error().say);
        tell();
    }

    task<result<void>> settle()
    {
        auto const settled = co_await link_.settle();
        if (!settled) co_return fail(settled.error().what, settled.error().say, "link");
        co_return journal_.flush();
    }

    task<result<void>> folder(source_folder& f)
    {
        folder_ = f.name;
        if (!f.note.empty()) note(f.note);
        if (!f.selectable) co_return result<void>{};
        ++report_.folders;
        auto all = co_await source_.messages(f);
        if (!all) co_return fail(all);
        report_.expected += all->size();
        tell();
        auto const made = co_await make(f);
        if (!made) {
            report_.skipped += all->size();
            co_return made;
        }
        for (std::size_t from = 0; from < all->size(); from += keys_at_once) {
            std::vector<source_message> some{std::make_move_iterator(all->begin() + static_cast<std::ptrdiff_t>(from)),
                                             std::make_move_iterator(all->begin() + static_cast<std::ptrdiff_t>(std::min(from + keys_at_once, all->size())))};
            auto const brought = co_await bring(f, std::move(some));
            if (!brought) co_return brought;
        }
        auto const settled = co_await settle();
        if (!settled) co_return settled;
        if (keep_uids_ && f.uid_next != 0) {
            auto const finished = co_await ask(json::object{{"do", "finish"}, {"mailbox", mailbox_}, {"uid_next", f.uid_next}});
            if (!finished) co_return fail(finished);
        }
        co_return result<void>{};
    }

    /// An answer from the server; losing it is told apart from a refusal.
    task<result<json::object>> ask(json::object o)
    {
        auto answer = co_await link_.ask(std::move(o));
        if (!answer && (answer.error().what == fault::kind::closed || answer.error().what == fault::kind::timeout))
            co_return fail(answer.error().what, answer.error().say, "link");
        co_return answer;
    }

    task<result<void>> make(source_folder const& f)
    {
        auto const name = options_.below.empty() ? f.name : options_.below + "/" + f.name;
        json::object o{{"do", "make"}, {"name", json_text(name)}, {"use", f.use}};
        if (options_.keep_uids && f.uid_validity != 0) o["uid_validity"] = f.uid_validity;
        auto const made = co_await ask(std::move(o));
        if (!made) co_return fail(made);
        mailbox_ = number_of(*made, "id");
        keep_uids_ = flag_of(*made, "kept_uid_validity");
        if (auto const said = text_of(*made, "note"); !said.empty()) note(said);
        if (options_.keep_uids && !keep_uids_)
            note(f.uid_validity == 0 ? "its UIDs are not known there, so its messages get new ones" : "its UIDs could not be kept: its messages get new ones");
        if (f.subscribed && !flag_of(*made, "subscribed")) {
            auto const done = co_await ask(json::object{{"do", "subscribe"}, {"name", json_text(name)}});
            if (!done) co_return fail(done);
        }
        co_return result<void>{};
    }

    /// Leaves out what came before, and reads the rest.
    task<result<void>> bring(source_folder const& f, std::vector<source_message> some)
    {
        auto const before = some.size();
        std::erase_if(some, [this](source_message const& m) { return journal_.knows(key_of(m)); });
        json::array keys;
        for (auto const& m : some) keys.emplace_back(json_text(key_of(m)));
        if (some.empty()) {
            report_.already += before;
            co_return result<void>{};
        }
        auto const known = co_await ask(json::object{{"do", "known"}, {"keys", std::move(keys)}});
        if (!known) co_return fail(known);
        auto const* const list = known->if_contains("known");
        if (list == nullptr || !list->is_array() || list->as_array().size() != some.size())
            co_return fail(fault::kind::closed, "the server's answer makes no sense", "link");
        std::vector<source_message> wanted;
        for (std::size_t i = 0; i < some.size(); ++i)
            if (!list->as_array()[i].is_bool() || !list->as_array()[i].as_bool()) wanted.push_back(std::move(some[i]));
        report_.already += before - wanted.size();
        tell();
        for (std::size_t from = 0; from < wanted.size(); from += read_at_once) {
            std::vector<source_message> piece{wanted.begin() + static_cast<std::ptrdiff_t>(from),
                                              wanted.begin() + static_cast<std::ptrdiff_t>(std::min(from + read_at_once, wanted.size()))};
            auto const read = co_await source_.read(f, std::move(piece), *this);
            if (!read) co_return read;
        }
        co_return journal_.flush();
    }

    link& link_;
    source& source_;
    import_options options_;
    import_report report_;
    journal journal_;
    std::string folder_;
    std::uint64_t mailbox_ = 0;
    bool keep_uids_ = false;
};

}  // namespace

task<result<import_report>> import_mail(link& to, source& from, import_options o)
{
    importer i{to, from, std::move(o)};
    auto report = co_await i.run();
    co_return report;
}

}  // namespace mansio::transfer
