#include "transfer/imap_source.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/bytes.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t most_messages = 5'000'000;
constexpr int connections_tried = 3;

/// Levels parted by '/', each without any of its own.
std::string our_name(imapclient::list_entry const& e)
{
    if (e.delimiter == '\0' || e.delimiter == '/') return e.delimiter == '\0' ? level_name(e.name) : e.name;
    std::string out, level;
    for (char const c : e.name) {
        if (c == e.delimiter) {
            out += level_name(level) + '/';
            level.clear();
        } else {
            level += c;
        }
    }
    return out + level_name(level);
}

/// RFC 9051 §5.1: INBOX in any letters is INBOX; so is the level above others.
std::string canonical(std::string name)
{
    if (base::equal_ignoring_case(name, "INBOX")) return "INBOX";
    if (base::starts_with_ignoring_case(name, "INBOX/")) name.replace(0, 5, "INBOX");
    return name;
}

/// Spools each message and hands it on.
class taker final : public imapclient::message_taker {
public:
    taker(store::spool& spool, std::uint64_t most, std::map<std::uint32_t, source_message> wanted, message_receiver& to)
        : spool_(spool),
          most_(most),
          wanted_(std::move(wanted)),
          to_(to)
    {}
    bool begin(std::uint64_t octets) override
    {
        octets_ = octets;
        trouble_.clear();
        writer_.reset();
        if (octets > most_) {
            trouble_ = "it has " + std::to_string(octets) + " octets, more than this server takes";
            return false;
        }
        writer_.emplace(spool_.open(store::line_ends::normalized, octets));
        return true;
    }
    result<void> append(std::string_view octets) override
    {
        if (!writer_) return {};
        auto const put = writer_->append(octets);
        if (!put) {  // this one is lost, the conversation goes on
            trouble_ = put.error().say;
            writer_.reset();
        }
        return {};
    }
    task<result<void>> done(imapclient::fetch_data message) override
    {
        auto const it = wanted_.find(message.uid);
        if (it == wanted_.end()) co_return result<void>{};  // nobody asked
        auto const m = std::move(it->second);
        wanted_.erase(it);
        if (!writer_) {
            to_.unreadable(m, trouble_.empty() ? "the other server sent nothing" : trouble_);
            co_return result<void>{};
        }
        auto const octets = writer_->finish();
        if (!octets) {
            to_.unreadable(m, octets.error().say);
            co_return result<void>{};
        }
        if (octets->size() == 0) {
            to_.unreadable(m, "it is empty");
            co_return result<void>{};
        }
        auto given = co_await to_.message(m, *octets);
        writer_.reset();
        co_return given;
    }
    [[nodiscard]] std::map<std::uint32_t, source_message> const& left() const noexcept { return wanted_; }

private:
    store::spool& spool_;
    std::uint64_t most_, octets_ = 0;
    std::map<std::uint32_t, source_message> wanted_;
    message_receiver& to_;
    std::optional<store::spool::writer> writer_;
    std::string trouble_;
};

class imap_source final : public source {
public:
    imap_source(imap_connector connect, std::string host, std::string user, store::spool& spool, base::limits const& l)
        : connect_(std::move(connect)),
          host_(std::move(host)),
          user_(std::move(user)),
          spool_(spool),
          limits_(l)
    {}
    std::string name() const override { return host_ + " as " + user_; }
    std::string identity() const override { return "imap " + host_ + " " + user_; }

    task<result<std::vector<source_folder>>> folders() override
    {
        auto const there = co_await connected();
        if (!there) co_return fail(there);
        auto const listed = co_await client_->list();
        if (!listed) co_return fail(listed);
        constexpr std::array uses{"\\all", "\\archive", "\\drafts", "\\flagged", "\\junk", "\\sent", "\\trash"};
        std::vector<source_folder> out;
        for (auto const& e : *listed) {
            source_folder f;
            f.name = canonical(our_name(e));
            f.where = f.id = e.raw;
            f.selectable = !e.has("\\noselect") && !e.has("\\nonexistent");
            f.subscribed = e.has("\\subscribed");
            for (auto const* u : uses)
                if (e.has(u)) f.use = u;
            // Views over other mailboxes (RFC 6154 §2): their messages come with those.
            if (f.use == "\\all" || f.use == "\\flagged") {
                f.selectable = false;
                f.note = "it is a view of messages in other mailboxes (" + f.use + ") and left out";
            }
            if (f.selectable) {
                auto const opened = co_await client_->select(f.where, true);
                if (!opened && opened.error().what != fault::kind::refused) co_return fail(opened);
                if (opened) {
                    f.uid_validity = opened->uid_validity;
                    f.uid_next = opened->uid_next;
                    open_ = f.where;
                }
            }
            out.push_back(std::move(f));
        }
        co_return out;
    }

    task<result<std::vector<source_message>>> messages(source_folder& f) override
    {
        result<std::vector<source_message>> out;
        for (int round = 0; round < connections_tried; ++round) {
            out = co_await list(f);
            if (out || out.error().what == fault::kind::refused) co_return out;
            drop();
        }
        co_return out;
    }

    /// A connection that is lost is made again, and what had not come is asked for again; nothing comes twice. Where the other server fails at all of them
    /// together they are asked for one by one, so that a message it cannot give takes no other with it.
    task<result<void>> read(source_folder const& f, std::vector<source_message> which, message_receiver& to) override
    {
        std::map<std::uint32_t, source_message> left;
        for (auto& m : which) left.emplace(m.uid, std::move(m));
        auto at_once = left.size();
        int lost = 0, blamed = 0;
        while (!left.empty()) {
            auto const there = co_await opened(f);
            if (!there && there.error().what == fault::kind::refused) co_return there;
            if (!there) {
                drop();
                if (++lost == connections_tried) co_return there;
                continue;
            }
            std::map<std::uint32_t, source_message> asked;
            std::vector<std::uint32_t> uids;
            for (auto const& [uid, m] : left) {
                if (asked.size() == at_once) break;
                asked.emplace(uid, m);
                uids.push_back(uid);
            }
            taker t{spool_, limits_.message_size, std::move(asked), to};
            auto const done = co_await client_->fetch_messages(imapclient::ranges_of(uids), t);
            bool const progress = t.left().size() < uids.size();
            for (auto const uid : uids)
                if (!t.left().contains(uid)) left.erase(uid);
            if (done) {
                for (auto const& [uid, m] : t.left()) {
                    to.unreadable(m, "it is gone on the other server");
                    left.erase(uid);
                }
                lost = blamed = 0;
                continue;
            }
            if (receiver_failed(done)) co_return done;
            bool const refused = done.error().what == fault::kind::refused;
            if (!refused) drop();
            if (progress) lost = 0;
            if (at_once > 1) {
                at_once = progress && !refused ? at_once : 1;
            } else if (refused || ++lost == connections_tried) {
                // Several in a row are not the messages' fault.
                if (!refused && ++blamed == connections_tried) co_return done;
                to.unreadable(left.begin()->second, done.error().say);
                left.erase(left.begin());
                lost = 0;
            }
        }
        co_return result<void>{};
    }

    task<void> close() override
    {
        if (client_) co_await client_->logout();
        client_.reset();
    }

private:
    static bool receiver_failed(result<void> const& r) { return r.error().detail == "link"; }

    task<result<void>> connected()
    {
        if (client_) co_return result<void>{};
        auto made = co_await connect_();
        if (!made) co_return fail(made);
        client_ = std::move(*made);
        open_.clear();
        co_return result<void>{};
    }

    void drop()
    {
        if (client_) client_->abort();
        client_.reset();
        open_.clear();
    }

    task<result<void>> opened(source_folder const& f)
    {
        auto const there = co_await connected();
        if (!there) co_return there;
        if (open_ == f.where) co_return result<void>{};
        auto const selected = co_await client_->select(f.where, true);
        if (!selected) co_return fail(selected);
        if (f.uid_validity != 0 && selected->uid_validity != f.uid_validity)
            co_return fail(fault::kind::refused, "its UIDVALIDITY changed in the middle of the import: start again");
        open_ = f.where;
        co_return result<void>{};
    }

    task<result<std::vector<source_message>>> list(source_folder& f)
    {
        auto const there = co_await opened(f);
        if (!there) co_return fail(there);
        auto const facts = co_await client_->fetch_facts(1, most_messages);
        if (!facts) co_return fail(facts);
        std::vector<source_message> out;
        for (auto const& d : *facts) {
            source_message m;
            m.key = std::to_string(f.uid_validity) + "/" + std::to_string(d.uid);
            m.uid = d.uid;
            m.flags = d.flags.value_or(std::vector<std::string>{});
            std::erase_if(m.flags, [](std::string const& n) { return base::equal_ignoring_case(n, "\\Recent"); });
            m.date = d.internal_date;
            m.size = d.size.value_or(0);
            out.push_back(std::move(m));
        }
        co_return out;
    }

    imap_connector connect_;
    std::string host_, user_;
    store::spool& spool_;
    base::limits const& limits_;
    std::unique_ptr<imapclient::client> client_;
    std::string open_;
};

}  // namespace

std::unique_ptr<source> open_imap(imap_connector connect, std::string host, std::string user, store::spool& spool, base::limits const& l)
{
    return std::make_unique<imap_source>(std::move(connect), std::move(host), std::move(user), spool, l);
}

}  // namespace mansio::transfer
