// Maildir, Maildir++ and Dovecot's LAYOUT=fs, read as they lie; nothing in them is changed.
#include <algorithm>

#include "base/bytes.hpp"
#include "transfer/files.hpp"
#include "transfer/maildir_names.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t most_folders = 100'000;

/// A file's octets through the spool: bare LF line ends, which Maildirs have, become CRLF.
result<mime::octets> spool_file(store::spool::writer& w, std::string const& path)
{
    auto in = files::reader::open(path);
    if (!in) return fail(in);
    while (true) {
        auto const some = in->next();
        if (!some) return fail(some);
        if (some->empty()) return w.finish();
        auto const put = w.append(*some);
        if (!put) return fail(put);
    }
}

class maildir_source final : public source {
public:
    maildir_source(std::string path, store::spool& spool) : path_(std::move(path)), spool_(spool) {}
    std::string name() const override { return "Maildir " + path_; }
    /// File names in a Maildir are unique in the world, and stay when it is moved.
    std::string identity() const override { return "maildir"; }

    task<result<std::vector<source_folder>>> folders() override
    {
        std::vector<source_folder> out;
        add(out, "INBOX", "");
        for (auto const& entry : files::list(path_)) {
            if (!entry.starts_with('.') || entry.size() < 2 || !is_folder(entry, out)) continue;
            auto const name = maildir_folder_name(entry);
            if (name != "INBOX") add(out, name, entry);
        }
        add_nested(out);
        auto const subscriptions = files::read_small(path_ + "/subscriptions");
        auto const names = parse_subscriptions(subscriptions.value_or(""));
        auto const ours = exported_folders(path_);
        for (auto& f : out) {
            f.subscribed = std::find(names.begin(), names.end(), f.name) != names.end();
            if (auto const known = ours.find(f.id); known != ours.end()) {
                f.name = known->second.name;
                f.use = known->second.use;
            }
        }
        co_return out;
    }

    task<result<std::vector<source_message>>> messages(source_folder& f) override
    {
        auto const keywords = parse_dovecot_keywords(files::read_small(f.where + "/dovecot-keywords").value_or(""));
        auto const uids = uids_of(f);
        std::vector<source_message> out;
        for (auto const* part : {"cur", "new"}) {
            std::size_t seen = 0;
            for (auto const& file : files::list(f.where + "/" + part)) {
                if (file.starts_with('.')) continue;
                if (++seen % 256 == 0) co_await base::yield_now{};
                out.push_back(entry(f.where + "/" + part + "/" + file, file, keywords, uids));
            }
        }
        // Those with a UID by it, then the others by age, as Dovecot would number them.
        auto const rank = [](source_message const& m) {
            auto const none = m.uid == 0;
            return std::tuple{none, m.uid, m.date ? m.date->unix_seconds : 0, std::string_view{m.key}};
        };
        std::sort(out.begin(), out.end(), [&rank](source_message const& a, source_message const& b) { return rank(a) < rank(b); });
        co_return out;
    }

    task<result<void>> read(source_folder const& f, std::vector<source_message> which, message_receiver& to) override
    {
        for (auto const& m : which) {
            auto w = spool_.open(store::line_ends::normalized);
            auto path = m.where;
            auto octets = spool_file(w, path);
            if (!octets) {
                // A mail program may have marked it meanwhile: the same message under another name.
                path = found_again(f, m);
                auto again = spool_.open(store::line_ends::normalized);
                if (!path.empty()) octets = spool_file(again, path);
                w = std::move(again);
            }
            if (!octets) {
                to.unreadable(m, octets.error().say);
                continue;
            }
            auto const taken = co_await to.message(m, *octets);
            if (!taken) co_return taken;
        }
        co_return result<void>{};
    }

private:
    void add(std::vector<source_folder>& out, std::string name, std::string id) const
    {
        source_folder f;
        f.name = std::move(name);
        f.where = id.empty() ? path_ : path_ + "/" + id;
        f.id = std::move(id);
        auto const list = uids_of(f);
        f.uid_validity = list.uid_validity;
        f.uid_next = list.uid_next;
        out.push_back(std::move(f));
    }

    /// A link may lead into mail of somebody else, whom the one who runs this may read and the one who made it not: it is told, not followed.
    [[nodiscard]] bool is_folder(std::string const& id, std::vector<source_folder>& out) const
    {
        auto const inside = path_ + "/" + id;
        if (!files::is_directory(inside + "/cur")) return false;
        if (!files::is_link(inside) && !files::is_link(inside + "/cur") && !files::is_link(inside + "/new")) return true;
        source_folder f;
        f.name = f.id = id;
        f.selectable = false;
        f.note = "it is a symbolic link and left out";
        out.push_back(std::move(f));
        return false;
    }

    /// LAYOUT=fs: directories in directories. Those of a Maildir itself and Dovecot's own files are no mailboxes.
    void add_nested(std::vector<source_folder>& out) const
    {
        std::vector<std::pair<std::string, std::string>> open{{"", ""}};
        while (!open.empty() && out.size() < most_folders) {
            auto const [directory, name] = open.back();
            open.pop_back();
            for (auto const& entry : files::list(directory.empty() ? path_ : path_ + "/" + directory)) {
                if (entry.starts_with('.') || entry == "cur" || entry == "new" || entry == "tmp" || entry.starts_with("dovecot")) continue;
                auto const id = directory.empty() ? entry : directory + "/" + entry;
                auto const inside = path_ + "/" + id;
                if (!files::is_directory(inside)) continue;
                auto const full = (name.empty() ? "" : name + "/") + level_name(imapclient_name(entry));
                if (is_folder(id, out) && !base::equal_ignoring_case(full, "INBOX")) add(out, full, id);
                if (!files::is_link(inside)) open.emplace_back(id, full);
            }
        }
    }
    static std::string imapclient_name(std::string const& entry) { return maildir_folder_name("." + entry); }

    static uid_list uids_of(source_folder const& f) { return parse_uid_list(files::read_small(f.where + "/dovecot-uidlist", 1UL << 30U).value_or("")); }

    static source_message entry(std::string path, std::string const& file, std::map<char, std::string> const& keywords, uid_list const& uids)
    {
        auto const parsed = parse_maildir_file(file);
        source_message m;
        m.key = parsed.unique;
        m.flags = parsed.flags;
        for (char const c : parsed.keyword_letters)
            if (auto const k = keywords.find(c); k != keywords.end()) m.flags.push_back(k->second);
        if (auto const u = uids.uids.find(parsed.unique); u != uids.uids.end()) m.uid = u->second;
        // The file's time is the internal date for every server that reads Maildir; the name's is when it was delivered.
        auto const when = files::changed(path);
        if (when || parsed.delivered) m.date = mime::date_time{when ? *when : *parsed.delivered, 0};
        m.where = std::move(path);
        return m;
    }

    static std::string found_again(source_folder const& f, source_message const& m)
    {
        for (auto const* part : {"cur", "new"})
            for (auto const& file : files::list(f.where + "/" + part))
                if (parse_maildir_file(file).unique == m.key) return f.where + "/" + part + "/" + file;
        return {};
    }

    std::string path_;
    store::spool& spool_;
};

}  // namespace

result<std::unique_ptr<source>> open_maildir(std::string path, store::spool& spool)
{
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    if (!files::is_directory(path + "/cur") && !files::is_directory(path + "/new"))
        return fail(fault::kind::refused, base::printable(path, 400) + " is no Maildir: it has no cur/ or new/ in it (or may not be read)");
    return std::make_unique<maildir_source>(std::move(path), spool);
}

}  // namespace mansio::transfer
