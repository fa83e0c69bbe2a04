#include "transfer/importer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/bytes.hpp"
#include "transfer/files.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t problems_kept = 10'000;
constexpr std::size_t keys_at_once = 500;
constexpr std::size_t read_at_once = 200;
constexpr unsigned silent_folders = 3;

/// What was imported before, by hash of its key; one line each, appended as the server confirms.
class journal {
public:
    result<void> open(std::string const& path)
    {
        if (path.empty()) return {};
        auto const text = files::read_small(path, 1UL << 30U);
        if (!text && files::exists(path)) return fail(fault::kind::refused, "cannot read the journal " + base::printable(path, 400));
        if (text) {
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
        // Whatever ended the source's conversation: it is not the server's that is missing.
        if (!folders) co_return fail(fault::kind::refused, folders.error().say, folders.error().detail);
        name_apart(*folders);
        // UIDVALIDITY only rises within an account: lower ones must come first to be had (docs/formats/account.md).
        auto const rank = [this](source_folder const& f) {
            auto const last = ~std::uint32_t{0};  // those whose UIDs are not known
            return std::pair{!options_.keep_uids || f.uid_validity == 0 ? last : f.uid_validity, std::string_view{f.name}};
        };
        std::sort(folders->begin(), folders->end(), [&rank](source_folder const& a, source_folder const& b) { return rank(a) < rank(b); });
        if (options_.keep_uids) {
            auto const made = co_await make_levels(*folders);
            if (!made) co_return fail(made);
        }
        unsigned silent = 0;  // folders in a row for which the source did not answer
        for (auto& f : *folders) {
            if (!wanted(f)) continue;
            folder_ = f.name;
            if (silent == silent_folders) {
                trouble("", "left out, as the source does not answer any more");
                continue;
            }
            auto const done = co_await folder(f);
            if (!done && link_lost(done)) co_return fail(done);
            if (!done) trouble("", done.error().say);
            silent = !done && source_lost(done) ? silent + 1 : 0;
        }
        auto const settled = co_await settle();
        if (!settled) co_return fail(settled);
        co_return std::move(report_);
    }

    task<result<void>> message(source_message const& m, mime::octets octets) override
    {
        json::object o{{"mailbox", mailbox_}, {"key", key_of(m)}};
        if (m.date) {
            o["date"] = m.date->unix_seconds;
            o["zone"] = m.date->zone_minutes;
        }
        json::array flags;
        for (auto const& f : m.flags) {
            flags.emplace_back(json_text(f));
            if (!f.starts_with('\\')) keywords_.insert(f);
        }
        o["flags"] = std::move(flags);
        if (keep_uids_ && m.uid != 0) {
            o["uid"] = m.uid;
            o["or_from"] = uid_next_;
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
    static bool source_lost(result<void> const& r)
    {
        auto const what = r.error().what;
        return what == fault::kind::closed || what == fault::kind::timeout || what == fault::kind::try_later;
    }
    [[nodiscard]] bool wanted(source_folder const& f) const
    {
        return options_.only.empty() || std::find(options_.only.begin(), options_.only.end(), f.name) != options_.only.end();
    }
    [[nodiscard]] std::string key_of(source_message const& m) const { return "import " + source_.identity() + " " + id_ + " " + m.key; }
    [[nodiscard]] std::string name_here(std::string const& name) const { return options_.below.empty() ? name : options_.below + "/" + name; }
    [[nodiscard]] std::uint64_t accounted() const { return report_.imported + report_.already + report_.skipped; }

    /// Two folders whose names become the same stay two.
    static void name_apart(std::vector<source_folder>& folders)
    {
        std::sort(folders.begin(), folders.end(),
                  [](source_folder const& a, source_folder const& b) { return std::tie(a.name, a.id) < std::tie(b.name, b.id); });
        std::set<std::string> taken;
        for (auto& f : folders) {
            auto const before = f.name;
            while (!taken.insert(f.name).second) f.name += '_';
            if (f.name != before) f.note += (f.note.empty() ? "" : "; ") + ("another folder has the name " + before + " already");
        }
    }

    /// Mailboxes are made before the first of them takes over a UIDVALIDITY: the number a new one gets must be below those (docs/formats/account.md).
    task<result<void>> make_levels(std::vector<source_folder> const& folders)
    {
        std::set<std::string> there;
        for (auto const& f : folders) {
            if (!wanted(f) || !f.selectable) continue;
            auto const name = name_here(f.name);
            for (std::size_t end = 0; end < name.size();) {
                end = std::min(name.find('/', end + 1), name.size());
                bool const whole = end == name.size();
                if (!whole && !there.insert(name.substr(0, end)).second) continue;
                json::object o{{"do", "make"}, {"name", json_text(name.substr(0, end))}};
                if (whole) o["use"] = f.use;
                auto const made = co_await ask(std::move(o));
                if (!made && made.error().detail == "link") co_return fail(made);  // a name that cannot be is told with its folder
            }
            there.insert(name);
        }
        co_return result<void>{};
    }
    /// One journal may serve several accounts.
    [[nodiscard]] std::string journal_key(std::string const& key) const { return options_.account + " " + key; }
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
        auto const noted = journal_.note(journal_key(key));
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
        id_ = f.id;
        keywords_.clear();
        if (!f.note.empty()) note(f.note);
        if (!f.selectable) co_return result<void>{};
        ++report_.folders;
        auto all = co_await source_.messages(f);
        if (!all) co_return fail(all);
        report_.expected += all->size();
        tell();
        auto const before = accounted();
        auto const total = all->size();
        auto const brought = co_await bring_all(f, std::move(*all));
        if (!brought && link_lost(brought)) co_return brought;
        auto const settled = co_await settle();
        if (!settled) co_return settled;
        // What a failure in the middle left over.
        if (accounted() < before + total) report_.skipped += before + total - accounted();
        tell();
        if (!brought) co_return brought;
        co_return co_await end(keep_uids_ ? f.uid_next : 0);
    }

    task<result<void>> bring_all(source_folder const& f, std::vector<source_message> all)
    {
        auto const made = co_await make(f);
        if (!made) co_return made;
        uid_next_ = f.uid_next;
        for (auto const& m : all) uid_next_ = std::max(uid_next_, m.uid == ~std::uint32_t{0} ? m.uid : m.uid + 1);
        // Those without a UID come last and get none that another message had there.
        std::vector<source_message> numbered_ones, unnumbered;
        for (auto& m : all) (m.uid != 0 ? numbered_ones : unnumbered).push_back(std::move(m));
        auto const numbered = co_await bring_each(f, std::move(numbered_ones));
        if (!numbered) co_return numbered;
        if (unnumbered.empty()) co_return result<void>{};
        if (keep_uids_) {
            auto const settled = co_await settle();
            if (!settled) co_return settled;
            auto const raised = co_await end(uid_next_);
            if (!raised) co_return raised;
        }
        co_return co_await bring_each(f, std::move(unnumbered));
    }

    task<result<void>> bring_each(source_folder const& f, std::vector<source_message> all)
    {
        for (std::size_t from = 0; from < all.size(); from += keys_at_once) {
            std::vector<source_message> some{std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(from)),
                                             std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(std::min(from + keys_at_once, all.size())))};
            auto const brought = co_await bring(f, std::move(some));
            if (!brought) co_return brought;
        }
        co_return result<void>{};
    }

    /// `uid_next`: no UID below it is given here from now on; 0: whatever it is. Notes keywords that did not come along.
    task<result<void>> end(std::uint32_t uid_next)
    {
        auto const finished = co_await ask(json::object{{"do", "finish"}, {"mailbox", mailbox_}, {"uid_next", uid_next}});
        if (!finished) co_return fail(finished);
        auto const here = texts_of(*finished, "keywords");
        for (auto const& k : std::exchange(keywords_, {})) {
            auto const same = [&k](std::string const& other) { return base::equal_ignoring_case(k, other); };
            if (std::none_of(here.begin(), here.end(), same)) note("the keyword " + k + " could not be kept");
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
        auto const name = name_here(f.name);
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
        std::erase_if(some, [this](source_message const& m) { return journal_.knows(journal_key(key_of(m))); });
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
    std::string folder_, id_;
    std::set<std::string> keywords_;     ///< of the folder's messages
    std::uint64_t mailbox_ = 0;
    std::uint32_t uid_next_ = 0;         ///< above every UID the folder has there
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
