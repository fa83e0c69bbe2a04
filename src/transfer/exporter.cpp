#include "transfer/exporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/bytes.hpp"
#include "transfer/files.hpp"
#include "transfer/maildir_names.hpp"
#include "transfer/mbox_text.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t problems_kept = 10'000;

struct mailbox {
    std::uint64_t id = 0;
    std::string name, use;
    bool subscribed = false;
    std::uint32_t uid_validity = 0, uid_next = 0;
};
struct stored_message {
    std::uint32_t uid = 0;
    std::int64_t date = 0;
    std::vector<std::string> flags;
};

/// CRLF becomes LF, as files have it, whatever the cut.
class line_ends_cut {
public:
    std::string feed(std::string_view octets)
    {
        std::string out;
        for (char const c : octets) {
            if (std::exchange(cr_, c == '\r') && c != '\n') out += '\r';
            if (c != '\r') out += c;
        }
        return out;
    }

private:
    bool cr_ = false;
};

/// Writes mailboxes in one form.
class sink {
public:
    virtual ~sink() = default;
    /// `at`: of a file or directory below the export's that nobody has yet.
    virtual result<void> begin(mailbox const& m, std::string const& at, std::vector<stored_message> const& messages) = 0;
    /// Where a mailbox goes: relative, without "..", and at most about 200 octets a level.
    [[nodiscard]] virtual std::string place(mailbox const& m) const = 0;
    /// What this form cannot say of the mailbox just begun; a sentence each.
    [[nodiscard]] virtual std::vector<std::string> lost() const { return {}; }
    /// Whether it is there already; then nothing is read.
    virtual result<bool> has(stored_message const& m) = 0;
    virtual result<void> begin_message(stored_message const& m) = 0;
    virtual result<void> octets(std::string_view some) = 0;
    virtual result<void> end_message(stored_message const& m, bool whole) = 0;
    virtual result<void> end(mailbox const& m) = 0;
    virtual result<void> end_all(std::vector<source_folder> const& all) = 0;
};

/// Names of files end somewhere near 255 octets.
std::string shortened(std::string name)
{
    constexpr std::size_t longest = 200;
    if (name.size() <= longest) return name;
    auto const digest = base::sha256(name);
    return name.substr(0, longest - 17) + "_" + base::to_hex({reinterpret_cast<char const*>(digest.data()), 8});
}

class maildir_sink final : public sink {
public:
    explicit maildir_sink(std::string path) : path_(std::move(path)) {}

    std::string place(mailbox const& m) const override { return m.name == "INBOX" ? "" : shortened(maildir_directory(m.name)); }
    std::vector<std::string> lost() const override { return lost_; }
    result<void> begin(mailbox const& m, std::string const& at, std::vector<stored_message> const& messages) override
    {
        directory_ = at.empty() ? path_ : path_ + "/" + at;
        for (auto const* part : {"/cur", "/new", "/tmp"})
            if (auto const made = files::make_directory(directory_ + part); !made) return made;
        if (!at.empty())
            if (auto const marked = files::replace(directory_ + "/maildirfolder", ""); !marked) return marked;
        keywords_.clear();
        lost_.clear();
        // Letters that files of an export before have go on meaning what they meant.
        std::set<char> taken;
        for (auto const& [letter, name] : parse_dovecot_keywords(files::read_small(directory_ + "/dovecot-keywords").value_or(""))) {
            keywords_.emplace(name, letter);
            taken.insert(letter);
        }
        std::set<std::string> left_out;
        for (auto const& message : messages)
            for (auto const& f : message.flags) {
                if (f.starts_with('\\') || f == "$Forwarded" || keywords_.contains(f)) continue;
                char letter = 'a';
                while (letter <= 'z' && taken.contains(letter)) ++letter;
                if (letter > 'z') {
                    left_out.insert(f);
                    continue;
                }
                taken.insert(letter);
                keywords_.emplace(f, letter);
            }
        for (auto const& f : left_out) lost_.push_back("the keyword " + f + " is left out: a Maildir has room for 26");
        there_.clear();
        for (auto const& file : files::list(directory_ + "/cur")) there_.emplace(parse_maildir_file(file).unique, file);
        uids_ = fmt::format("3 V{} N{}\n", m.uid_validity, m.uid_next);
        validity_ = m.uid_validity;
        return {};
    }
    result<bool> has(stored_message const& m) override
    {
        auto const known = there_.find(unique(m));
        if (known == there_.end()) return false;
        uids_ += fmt::format("{} :{}\n", m.uid, known->first);
        if (known->second == file_name(m)) return true;
        auto const renamed = files::rename(directory_ + "/cur/" + known->second, directory_ + "/cur/" + file_name(m));
        if (!renamed) return fail(renamed);
        return true;
    }
    result<void> begin_message(stored_message const& m) override
    {
        cut_ = {};
        auto out = files::writer::open(directory_ + "/tmp/" + unique(m));
        if (!out) return fail(out);
        out_.emplace(std::move(*out));
        return {};
    }
    result<void> octets(std::string_view some) override { return out_->put(cut_.feed(some)); }
    result<void> end_message(stored_message const& m, bool whole) override
    {
        auto out = std::move(*out_);
        out_.reset();
        if (!whole) return {};
        if (auto const done = out.finish(m.date); !done) return done;
        uids_ += fmt::format("{} :{}\n", m.uid, unique(m));
        return files::rename(directory_ + "/tmp/" + unique(m), directory_ + "/cur/" + file_name(m));
    }
    result<void> end(mailbox const&) override
    {
        std::map<char, std::string> by_letter;
        for (auto const& [name, letter] : keywords_) by_letter[letter] = name;
        std::string text;
        for (auto const& [letter, name] : by_letter) text += fmt::format("{} {}\n", letter - 'a', name);
        if (auto const written = files::replace(directory_ + "/dovecot-keywords", text); !written) return written;
        return files::replace(directory_ + "/dovecot-uidlist", uids_);
    }
    result<void> end_all(std::vector<source_folder> const& all) override
    {
        std::string text;
        for (auto const& f : all)
            if (f.subscribed) text += (f.id.empty() ? f.name : f.id.substr(1)) + "\n";
        return files::replace(path_ + "/subscriptions", text);
    }

private:
    /// The same at every export: mailbox and UID name a message for good.
    [[nodiscard]] std::string unique(stored_message const& m) const
    {
        return fmt::format("{}.V{}U{}.mansio", std::max<std::int64_t>(m.date, 0), validity_, m.uid);
    }
    [[nodiscard]] std::string file_name(stored_message const& m) const { return unique(m) + ":2," + maildir_letters(m.flags, keywords_); }

    std::string path_, directory_, uids_;
    std::uint32_t validity_ = 0;
    std::map<std::string, char> keywords_;
    std::map<std::string, std::string> there_;
    std::vector<std::string> lost_;
    std::optional<files::writer> out_;
    line_ends_cut cut_;
};

/// Header fields and lines are looked at one by one: status fields of old are left out, "From " is quoted.
class mbox_sink final : public sink {
public:
    explicit mbox_sink(std::string path) : path_(std::move(path)) {}

    /// "Work/2026" is the file 2026.mbox in the directory Work, beside the file Work.mbox; nothing is hidden.
    std::string place(mailbox const& m) const override
    {
        std::string out;
        for (std::size_t from = 0; from <= m.name.size();) {
            auto const end = std::min(m.name.find('/', from), m.name.size());
            auto level = shortened(m.name.substr(from, end - from));
            if (level.starts_with('.')) level = "_" + level;
            out += (out.empty() ? "" : "/") + level;
            from = end + 1;
        }
        return out + ".mbox";
    }
    result<void> begin(mailbox const&, std::string const& at, std::vector<stored_message> const&) override
    {
        file_ = path_ + "/" + at;
        if (auto const made = files::make_directory(file_.substr(0, file_.rfind('/'))); !made) return made;
        auto out = files::writer::open(file_ + ".new");
        if (!out) return fail(out);
        out_.emplace(std::move(*out));
        return {};
    }
    result<bool> has(stored_message const&) override { return false; }
    result<void> begin_message(stored_message const& m) override
    {
        cut_ = {};
        line_.clear();
        header_ = true;
        now_ = m;
        begun_ = out_->size();
        return out_->put(make_from_line("", m.date));
    }
    result<void> octets(std::string_view some) override
    {
        line_ += cut_.feed(some);
        std::size_t from = 0;
        for (auto n = line_.find('\n'); n != std::string::npos; n = line_.find('\n', from)) {
            if (auto const put = line(std::string_view{line_}.substr(from, n - from)); !put) return put;
            from = n + 1;
        }
        line_.erase(0, from);
        return {};
    }
    result<void> end_message(stored_message const&, bool whole) override
    {
        if (!whole) return out_->cut(begun_);
        if (!line_.empty())
            if (auto const put = line(line_); !put) return put;
        if (header_)
            if (auto const put = line(""); !put) return put;
        return out_->put("\n");
    }
    result<void> end(mailbox const&) override
    {
        auto out = std::move(*out_);
        out_.reset();
        if (auto const done = out.finish(); !done) return done;
        return files::rename(file_ + ".new", file_);
    }
    result<void> end_all(std::vector<source_folder> const&) override { return {}; }

private:
    result<void> line(std::string_view text)
    {
        mbox_status ignored;
        if (header_ && text.empty()) {
            header_ = false;
            return out_->put(status_fields(now_.flags, now_.uid) + "\n");
        }
        if (header_ && take_status(text, ignored)) return {};
        if (!header_ && wants_quote(text))
            if (auto const put = out_->put(">"); !put) return put;
        if (auto const put = out_->put(text); !put) return put;
        return out_->put("\n");
    }
    std::string path_, file_, line_;
    bool header_ = true;
    stored_message now_;
    std::uint64_t begun_ = 0;  ///< where its From_ line stands
    std::optional<files::writer> out_;
    line_ends_cut cut_;
};

class exporter {
public:
    exporter(link& from, export_options o) : link_(from), options_(std::move(o))
    {
        if (options_.form == export_form::maildir)
            sink_ = std::make_unique<maildir_sink>(options_.path);
        else
            sink_ = std::make_unique<mbox_sink>(options_.path);
    }

    task<result<export_report>> run()
    {
        auto const opened = co_await link_.ask(json::object{{"do", "open"}, {"account", options_.account}});
        if (!opened) co_return fail(opened);
        auto const all = co_await mailboxes();
        if (!all) co_return fail(all);
        auto const ready = prepare();
        if (!ready) co_return fail(ready);
        for (auto const& m : *all) {
            auto const at = place(m);
            auto const done = co_await one(m, at);
            if (done) continue;
            if (ends_all(done.error())) co_return fail(done);
            trouble(m.name, "", done.error().say);
        }
        auto const ended = finish();
        if (!ended) co_return fail(ended);
        co_return std::move(report_);
    }

private:
    static bool ends_all(fault const& f) { return f.what == fault::kind::closed || f.what == fault::kind::timeout || f.detail == "disk"; }
    void trouble(std::string folder, std::string message, std::string why)
    {
        if (report_.problems.size() < problems_kept) report_.problems.push_back({std::move(folder), std::move(message), std::move(why)});
    }
    void note(std::string folder, std::string what)
    {
        if (report_.notes.size() < problems_kept) report_.notes.push_back({std::move(folder), "", std::move(what)});
    }

    /// An export goes into a directory of its own: in a Maildir that others use it would replace what their programs keep there.
    result<void> prepare()
    {
        auto const there = files::list(options_.path);
        known_ = exported_folders(options_.path);
        if (!there.empty() && !files::exists(options_.path + "/" + std::string{folders_file}))
            return fail(fault::kind::refused,
                        base::printable(options_.path, 400) + " is not empty and holds no export: name an empty directory, or one of an export before");
        if (auto const made = files::make_directory(options_.path); !made) return made;
        return write_folders();
    }
    result<void> write_folders()
    {
        std::vector<source_folder> all;
        for (auto const& [at, f] : known_) all.push_back(f);
        return files::replace(options_.path + "/" + std::string{folders_file}, folders_text(all));
    }
    result<void> finish()
    {
        if (auto const written = write_folders(); !written) return written;
        std::vector<source_folder> all;
        for (auto const& [at, f] : known_) all.push_back(f);
        return sink_->end_all(all);
    }

    /// The same place as the last time, else one that no other mailbox has.
    std::string place(mailbox const& m)
    {
        auto const before = std::find_if(known_.begin(), known_.end(), [&m](auto const& k) { return k.second.name == m.name; });
        auto at = before != known_.end() ? before->first : sink_->place(m);
        auto const wanted = at;
        for (unsigned n = 2; before == known_.end() && known_.contains(at); ++n) at = fmt::format("{}_{}", wanted, n);
        source_folder f;
        f.id = at;
        f.name = m.name;
        f.use = m.use;
        f.subscribed = m.subscribed;
        f.uid_validity = m.uid_validity;
        f.uid_next = m.uid_next;
        known_.insert_or_assign(at, std::move(f));
        return at;
    }

    task<result<std::vector<mailbox>>> mailboxes()
    {
        auto const answer = co_await link_.ask(json::object{{"do", "mailboxes"}});
        if (!answer) co_return fail(answer);
        std::vector<mailbox> out;
        auto const* const list = answer->if_contains("mailboxes");
        if (list == nullptr || !list->is_array()) co_return fail(fault::kind::closed, "the server's answer makes no sense");
        for (auto const& v : list->as_array()) {
            if (!v.is_object()) continue;
            auto const& o = v.as_object();
            mailbox const m{number_of(o, "id"),
                            text_of(o, "name"),
                            text_of(o, "use"),
                            flag_of(o, "subscribed"),
                            static_cast<std::uint32_t>(number_of(o, "uid_validity")),
                            static_cast<std::uint32_t>(number_of(o, "uid_next"))};
            if (options_.only.empty() || std::find(options_.only.begin(), options_.only.end(), m.name) != options_.only.end()) out.push_back(m);
        }
        co_return out;
    }

    task<result<std::vector<stored_message>>> messages(std::uint64_t id)
    {
        std::vector<stored_message> out;
        for (std::uint64_t from = 1; from != 0;) {
            auto const answer = co_await link_.ask(json::object{{"do", "list"}, {"mailbox", id}, {"from", from}});
            if (!answer) co_return fail(answer);
            from = 0;
            auto const* const list = answer->if_contains("messages");
            if (list == nullptr || !list->is_array()) co_return fail(fault::kind::closed, "the server's answer makes no sense");
            for (auto const& v : list->as_array()) {
                if (!v.is_object()) continue;
                auto const& o = v.as_object();
                out.push_back({static_cast<std::uint32_t>(number_of(o, "uid")), signed_of(o, "date"), texts_of(o, "flags")});
                from = out.back().uid + 1ULL;
            }
        }
        co_return out;
    }

    task<result<void>> one(mailbox const& m, std::string at)
    {
        auto const all = co_await messages(m.id);
        if (!all) co_return fail(all);
        ++report_.folders;
        report_.expected += all->size();
        auto const begun = sink_->begin(m, at, *all);
        if (!begun) {
            report_.skipped += all->size();
            co_return begun;
        }
        for (auto const& what : sink_->lost()) note(m.name, what);
        auto const written = write_folders();
        if (!written) co_return written;
        for (auto const& message : *all) {
            auto const done = co_await bring(m, message);
            if (!done) co_return done;
            if (options_.progress) options_.progress(report_);
        }
        co_return sink_->end(m);
    }

    /// Errors: the directory cannot be written, or the conversation is over.
    task<result<void>> bring(mailbox const& m, stored_message const& message)
    {
        auto const there = sink_->has(message);
        if (!there) co_return fail(there);
        if (*there) {
            ++report_.already;
            co_return result<void>{};
        }
        bool begun = false;
        std::uint64_t octets = 0;
        result<void> written;
        auto* const to = sink_.get();
        auto take = [&](std::string_view some) -> result<void> {
            if (!begun) written = to->begin_message(message);
            begun = true;
            if (written) written = to->octets(some);
            octets += some.size();
            return written;
        };
        auto const read = co_await link_.read(json::object{{"mailbox", m.id}, {"uid", message.uid}}, std::move(take));
        if (!written) co_return fail(written.error().what, written.error().say, "disk");
        if (begun) {
            auto const ended = to->end_message(message, read.has_value());
            if (!ended) co_return fail(ended.error().what, ended.error().say, "disk");
        }
        if (!read && (read.error().what == fault::kind::closed || read.error().what == fault::kind::timeout)) co_return read;
        if (!read) {
            ++report_.skipped;
            trouble(m.name, fmt::format("UID {}", message.uid), read.error().say);
            co_return result<void>{};
        }
        ++report_.exported;
        report_.octets += octets;
        co_return result<void>{};
    }

    link& link_;
    export_options options_;
    std::unique_ptr<sink> sink_;
    export_report report_;
    std::map<std::string, source_folder, std::less<>> known_;  ///< by place: of exports before, and of this one
};

}  // namespace

task<result<export_report>> export_mail(link& from, export_options o)
{
    exporter e{from, std::move(o)};
    auto report = co_await e.run();
    co_return report;
}

}  // namespace mansio::transfer
