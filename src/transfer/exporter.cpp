#include "transfer/exporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/bytes.hpp"
#include "transfer/files.hpp"
#include "transfer/maildir_names.hpp"
#include "transfer/mbox_text.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t problems_kept = 10'000;
constexpr std::size_t keyword_letters = 26;

struct mailbox {
    std::uint64_t id = 0;
    std::string name;
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
    virtual result<void> begin(mailbox const& m, std::vector<stored_message> const& messages) = 0;
    /// Whether it is there already; then nothing is read.
    virtual result<bool> has(stored_message const& m) = 0;
    virtual result<void> begin_message(stored_message const& m) = 0;
    virtual result<void> octets(std::string_view some) = 0;
    virtual result<void> end_message(stored_message const& m, bool whole) = 0;
    virtual result<void> end(mailbox const& m) = 0;
    virtual result<void> end_all(std::vector<mailbox> const& all) = 0;
};

class maildir_sink final : public sink {
public:
    explicit maildir_sink(std::string path) : path_(std::move(path)) {}

    result<void> begin(mailbox const& m, std::vector<stored_message> const& messages) override
    {
        directory_ = m.name == "INBOX" ? path_ : path_ + "/" + maildir_directory(m.name);
        for (auto const* part : {"/cur", "/new", "/tmp"})
            if (auto const made = files::make_directory(directory_ + part); !made) return made;
        if (m.name != "INBOX")
            if (auto const marked = files::replace(directory_ + "/maildirfolder", ""); !marked) return marked;
        keywords_.clear();
        for (auto const& message : messages)
            for (auto const& f : message.flags)
                if (!f.starts_with('\\') && f != "$Forwarded" && !keywords_.contains(f) && keywords_.size() < keyword_letters) {
                    auto const letter = static_cast<char>('a' + keywords_.size());
                    keywords_.emplace(f, letter);
                }
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
    result<void> end_all(std::vector<mailbox> const& all) override
    {
        std::string text;
        for (auto const& m : all)
            if (m.subscribed) text += (m.name == "INBOX" ? m.name : maildir_directory(m.name).substr(1)) + "\n";
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
    std::optional<files::writer> out_;
    line_ends_cut cut_;
};

/// Header fields and lines are looked at one by one: status fields of old are left out, "From " is quoted.
class mbox_sink final : public sink {
public:
    explicit mbox_sink(std::string path) : path_(std::move(path)) {}

    result<void> begin(mailbox const& m, std::vector<stored_message> const&) override
    {
        // "a/b" is a file in a directory: it and "a" itself cannot have the same name.
        auto const slash = m.name.rfind('/');
        auto const directory = slash == std::string::npos ? path_ : path_ + "/" + m.name.substr(0, slash) + ".sub";
        if (auto const made = files::make_directory(directory); !made) return made;
        file_ = directory + "/" + (slash == std::string::npos ? m.name : m.name.substr(slash + 1));
        if (m.name.find("/.") != std::string::npos || m.name.starts_with('.'))
            return fail(fault::kind::refused, "its name begins with a dot and would be hidden");
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
    result<void> end_message(stored_message const&, bool) override
    {
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
    result<void> end_all(std::vector<mailbox> const&) override { return {}; }

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
        for (auto const& m : *all) {
            auto const done = co_await one(m);
            if (done) continue;
            if (done.error().what == fault::kind::closed || done.error().what == fault::kind::timeout) co_return fail(done);
            trouble(m.name, "", done.error().say);
        }
        auto const ended = sink_->end_all(*all);
        if (!ended) co_return fail(ended);
        co_return std::move(report_);
    }

private:
    void trouble(std::string folder, std::string message, std::string why)
    {
        if (report_.problems.size() < problems_kept) report_.problems.push_back({std::move(folder), std::move(message), std::move(why)});
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
            mailbox const m{number_of(o, "id"), text_of(o, "name"), flag_of(o, "subscribed"), static_cast<std::uint32_t>(number_of(o, "uid_validity")),
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

    task<result<void>> one(mailbox const& m)
    {
        auto const all = co_await messages(m.id);
        if (!all) co_return fail(all);
        ++report_.folders;
        report_.expected += all->size();
        auto const begun = sink_->begin(m, *all);
        if (!begun) {
            report_.skipped += all->size();
            co_return begun;
        }
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
        if (!written) co_return fail(fault::kind::closed, written.error().say);
        if (begun) {
            auto const ended = to->end_message(message, read.has_value());
            if (!ended) co_return ended;
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
};

}  // namespace

task<result<export_report>> export_mail(link& from, export_options o)
{
    exporter e{from, std::move(o)};
    auto report = co_await e.run();
    co_return report;
}

}  // namespace mansio::transfer
