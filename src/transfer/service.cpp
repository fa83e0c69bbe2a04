#include "transfer/service.hpp"

#include <algorithm>
#include <list>
#include <mutex>

#include "base/bytes.hpp"
#include "transfer/json.hpp"
#include "transfer/picture_link.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t pending_messages = 64;            ///< appends of one conversation that may share a commit
constexpr std::uint64_t pending_octets = 8ULL << 20U;
constexpr std::size_t chunk_octets = 65536;
constexpr std::uint64_t parse_here_octets = 1ULL << 20U;
constexpr std::uint64_t read_octets = 256ULL << 10U;
constexpr std::uint32_t listed_at_once = 2000;
constexpr std::uint64_t request_line = 1ULL << 20U;
constexpr std::chrono::hours silence{3};                ///< an import may wait long for where it reads from
constexpr std::uint64_t highest_uid = 0xF0000000U;      ///< of those that are taken over: a stranger's must not use up a mailbox's

/// An append that waits for its commit.
struct pending {
    store::spool::writer octets;  ///< what it holds in memory stays charged until the commit
    store::mailbox_id mailbox = 0;
    store::uid as_uid = 0;        ///< the UID it had elsewhere; 0: any
    store::new_message message;
    store::delivery_id delivery;
    store::uid or_from = 0;       ///< when the UID asked for cannot be given any more, the next one from this on will do; 0: it will not
    result<store::appended> answer;
};

/// 0: none, or none that may be taken over.
store::uid uid_of(json::object const& asked, std::string_view name)
{
    auto const n = number_of(asked, name);
    return n <= highest_uid ? static_cast<store::uid>(n) : 0;
}

store::special_use use_of(std::string_view name)
{
    using enum store::special_use;
    for (auto const u : {all, archive, drafts, flagged, junk, sent, trash})
        if (base::equal_ignoring_case(store::special_use_name(u), name)) return u;
    return none;
}

json::object refusal(fault const& f)
{
    json::object o;
    o["error"] = f.say.empty() ? "the server could not do that; its log says why" : json_text(f.say);
    o["kind"] = base::name_of(f.what);
    if (f.what == fault::kind::refused || f.what == fault::kind::over_limit) o["detail"] = json_text(f.detail);
    return o;
}

class conversation {
public:
    conversation(service_parts const& p, std::unique_ptr<net::stream> s)
        : parts_(p),
          picture_(p.accounts.storage(), p.log),
          peer_(std::move(s)),
          clock_(base::executor::current().clock()),
          group_(base::executor::current())
    {}

    task<void> run()
    {
        while (true) {
            auto const line = co_await peer_.read_line(static_cast<std::size_t>(request_line), by());
            if (!line) break;
            auto const asked = parse_object(line->text);
            if (!asked) break;
            auto work = text_of(*asked, "do") == "append" ? append(*asked) : other(*asked);
            auto const done = co_await std::move(work);
            if (!done) break;
        }
        static_cast<void>(co_await settle());
        co_await peer_.raw().finish();
    }
    [[nodiscard]] net::stream& raw() noexcept { return peer_.raw(); }

private:
    [[nodiscard]] base::monotonic_time by() const { return clock_.monotonic() + silence; }

    /// Errors: the connection is lost.
    task<result<void>> reply(json::object o)
    {
        auto const text = json::serialize(o) + "\n";
        auto sent = co_await peer_.send(text, by());
        co_return sent;
    }

    task<result<void>> other(json::object asked)
    {
        auto const settled = co_await settle();
        if (!settled) co_return settled;
        auto const what = text_of(asked, "do");
        if (what == "read") {
            auto const told = co_await read(asked);
            if (!told) co_return told;
        } else if (what.starts_with("picture")) {
            auto const told = co_await show(what, std::move(asked));
            if (!told) co_return told;
        } else {
            auto made = co_await answer(what, std::move(asked));
            auto const told = co_await reply(made ? std::move(*made) : refusal(made.error()));
            if (!told) co_return told;
        }
        co_return co_await peer_.flush(by());
    }

    /// A piece of the picture for a backup: {"octets": n, ...} and so many octets.
    task<result<void>> show(std::string what, json::object asked)
    {
        auto made = co_await picture_.serve(std::move(what), std::move(asked));
        if (!made) {
            auto refused = refusal(made.error());
            refused["detail"] = json_text(made.error().detail);  // the operator's own backup says what is wrong with a message
            co_return co_await reply(std::move(refused));
        }
        made->head["octets"] = made->octets.size();
        auto const told = co_await reply(std::move(made->head));
        if (!told) co_return told;
        co_return co_await peer_.send(made->octets, by());
    }

    task<result<json::object>> answer(std::string what, json::object asked)
    {
        if (what == "open") co_return co_await open(text_of(asked, "account"));
        if (!account_) co_return fail(fault::kind::syntax, "no account is open");
        if (what == "mailboxes") co_return co_await mailboxes();
        if (what == "make") co_return co_await make(asked);
        if (what == "subscribe") co_return co_await subscribe(text_of(asked, "name"));
        if (what == "known") co_return co_await known(texts_of(asked, "keys"));
        if (what == "finish") co_return co_await finish(asked);
        if (what == "list") co_return co_await list(asked);
        co_return fail(fault::kind::syntax, "there is no such request");
    }

    task<result<json::object>> open(std::string address)
    {
        auto const found = co_await parts_.find_account(address);
        if (!found) co_return fail(found);
        account_ = parts_.accounts.open(*found, store::principal::server("transfer"));
        parts_.log.info("transfer_open", {{"account", address}});
        co_return json::object{{"account", *found}, {"message_size", parts_.limits.message_size}};
    }

    static json::object described(store::mailbox_info const& m, store::mailbox_counts const& c)
    {
        return json::object{{"id", m.id},
                            {"name", m.name},
                            {"use", store::special_use_name(m.use)},
                            {"subscribed", m.subscribed},
                            {"uid_validity", c.uid_validity},
                            {"uid_next", c.uid_next},
                            {"messages", c.messages}};
    }

    task<result<json::object>> mailboxes()
    {
        auto const all = co_await account_->list_mailboxes();
        if (!all) co_return fail(all);
        json::array list;
        for (auto const& m : *all) {
            auto const c = co_await account_->counts(m.id);
            if (!c) co_return fail(c);
            list.emplace_back(described(m, *c));
        }
        co_return json::object{{"mailboxes", std::move(list)}};
    }

    /// Finds or makes a mailbox. A use that another mailbox has already is left out, a UIDVALIDITY that cannot be had is told.
    task<result<json::object>> make(json::object asked)
    {
        auto const name = text_of(asked, "name");
        auto found = co_await account_->find_mailbox(name);
        auto const use = use_of(text_of(asked, "use"));
        std::string note;
        if (!found && found.error().what == fault::kind::not_found) {
            found = co_await account_->create_mailbox(name, use);
            if (!found && found.error().detail == "use_attr") {
                note = "another mailbox has the use " + text_of(asked, "use") + " here already";
                found = co_await account_->create_mailbox(name);
            }
        }
        if (!found) co_return fail(found);
        if (use != store::special_use::none && found->use != use && note.empty()) note = "it does not have the use " + text_of(asked, "use") + " here";
        auto const validity = number_of(asked, "uid_validity");
        bool kept = false;
        if (validity != 0) {
            if (validity > 0xFFFFFFFFU) co_return fail(fault::kind::syntax, "that is no UIDVALIDITY");
            auto const adopted = co_await account_->adopt_uid_validity(found->id, static_cast<std::uint32_t>(validity));
            if (!adopted && adopted.error().what != fault::kind::refused) co_return fail(adopted);
            kept = adopted.has_value();
            if (!kept) note += (note.empty() ? "" : "; ") + adopted.error().say;
        }
        auto const c = co_await account_->counts(found->id);
        if (!c) co_return fail(c);
        auto o = described(*found, *c);
        o["kept_uid_validity"] = kept;
        if (!note.empty()) o["note"] = note;
        co_return o;
    }

    task<result<json::object>> subscribe(std::string name)
    {
        auto const done = co_await account_->subscribe_mailbox(std::move(name), true);
        if (!done) co_return fail(done);
        co_return json::object{{"done", true}};
    }

    task<result<json::object>> known(std::vector<std::string> keys)
    {
        auto const seen = co_await account_->delivered(std::move(keys));
        if (!seen) co_return fail(seen);
        json::array list;
        for (bool const b : *seen) list.emplace_back(b);
        co_return json::object{{"known", std::move(list)}};
    }

    task<result<json::object>> finish(json::object asked)
    {
        auto const m = static_cast<store::mailbox_id>(number_of(asked, "mailbox"));
        if (auto const next = number_of(asked, "uid_next"); next != 0 && next <= highest_uid) {
            auto const done = co_await account_->raise_uid_next(m, static_cast<store::uid>(next));
            if (!done) co_return fail(done);
        }
        auto const view = co_await account_->view(m);
        if (!view) co_return fail(view);
        json::array keywords;
        for (auto const& k : (*view)->keywords()) keywords.emplace_back(k);
        co_return json::object{{"keywords", std::move(keywords)}};
    }

    task<result<json::object>> list(json::object asked)
    {
        auto const m = static_cast<store::mailbox_id>(number_of(asked, "mailbox"));
        auto const view = co_await account_->view(m);
        if (!view) co_return fail(view);
        auto const& v = **view;
        json::array list;
        auto const from = v.lower_bound(static_cast<store::uid>(std::min<std::uint64_t>(number_of(asked, "from"), 0xFFFFFFFFU)));
        for (auto p = from; p < v.size() && p < from + listed_at_once; ++p) {
            auto const e = v.at(p);
            json::array flags;
            for (auto const& f : v.names(e.flags)) flags.emplace_back(f);
            list.emplace_back(json::object{
                {"uid", e.uid}, {"size", e.size}, {"date", e.internal_date.unix_seconds}, {"zone", e.internal_date.zone_minutes}, {"flags", std::move(flags)}});
        }
        co_return json::object{{"messages", std::move(list)}};
    }

    /// A message in pieces: {"octets": n, "last": false} and so many octets. One that cannot be read to its end ends with a refusal where a piece would stand.
    task<result<void>> read(json::object asked)
    {
        auto const email = co_await find(asked);
        if (!email) co_return co_await reply(refusal(email.error()));
        auto const size = (*email)->size();
        for (std::uint64_t at = 0; at < size || at == 0;) {
            auto octets = co_await account_->read(*email, at, read_octets);
            if (!octets) co_return co_await reply(refusal(octets.error()));
            if (octets->empty() && size != 0) {
                fault const early{fault::kind::broken, "the message ends before its end"};
                co_return co_await reply(refusal(early));
            }
            at += octets->size();
            json::object const head{{"octets", octets->size()}, {"last", at >= size}};
            auto told = co_await reply(head);
            if (!told) co_return told;
            auto const sent = co_await peer_.send(*octets, by());
            if (!sent) co_return sent;
            if (at >= size) break;
        }
        co_return result<void>{};
    }

    task<result<store::email_record_ptr>> find(json::object asked)
    {
        if (!account_) co_return fail(fault::kind::syntax, "no account is open");
        auto const m = static_cast<store::mailbox_id>(number_of(asked, "mailbox"));
        auto const view = co_await account_->view(m);
        if (!view) co_return fail(view);
        auto const at = (*view)->find(static_cast<store::uid>(number_of(asked, "uid")));
        if (!at) co_return fail(fault::kind::not_found, "the message is gone");
        auto const id = (*view)->at(*at).email;
        std::vector<store::email_id> const wanted{id};
        auto const emails = co_await account_->emails(m, wanted);
        if (!emails) co_return fail(emails);
        if (emails->front() == nullptr) co_return fail(fault::kind::not_found, "the message is gone");
        co_return emails->front();
    }

    /// Takes the octets and stages them. What is wrong with the message itself is its answer, in its turn.
    task<result<void>> append(json::object asked)
    {
        auto const octets = number_of(asked, "octets");
        pending p{parts_.spool.open(store::line_ends::normalized, octets),
                  static_cast<store::mailbox_id>(number_of(asked, "mailbox")),
                  0,
                  {},
                  text_of(asked, "key"),
                  0,
                  {}};
        std::optional<fault> wrong;
        if (!account_) wrong = fault{fault::kind::syntax, "no account is open"};
        if (octets > parts_.limits.message_size) wrong = fault{fault::kind::over_limit, "the message is larger than this server takes"};
        if (octets == 0) wrong = fault{fault::kind::refused, "the message is empty"};
        for (auto left = octets; left != 0;) {
            auto const chunk = co_await peer_.read_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, chunk_octets)), by());
            if (!chunk) co_return fail(chunk);
            if (chunk->empty()) co_return fail(fault::kind::closed, "connection closed");
            left -= chunk->size();
            if (wrong) continue;
            auto const put = p.octets.append(*chunk);
            if (!put) wrong = put.error();
        }
        p.message.flags = texts_of(asked, "flags");
        p.message.internal_date = {asked.contains("date") ? signed_of(asked, "date") : clock_.wall().time_since_epoch() / std::chrono::seconds{1},
                                   static_cast<std::int16_t>(signed_of(asked, "zone"))};
        p.as_uid = uid_of(asked, "uid");
        p.or_from = uid_of(asked, "or_from");
        if (!wrong) {
            auto const staged = co_await stage(p);
            if (!staged) wrong = staged.error();
        }
        if (wrong) p.answer = std::unexpected(*wrong);
        auto& held = pending_.emplace_back(std::move(p));
        if (!wrong) group_.spawn(commit(*account_, held));
        octets_ += octets;
        if (pending_.size() < pending_messages && octets_ < pending_octets && peer_.has_unread()) co_return result<void>{};
        co_return co_await settle();
    }

    task<result<void>> stage(pending& p)
    {
        auto const octets = p.octets.finish();
        if (!octets) co_return fail(octets);
        auto const* const limits = &parts_.limits;
        if (octets->size() <= parse_here_octets || parts_.heavy == nullptr) {
            p.message.summary = std::make_shared<mime::summary const>(mime::summarize(*octets, *limits));
        } else {
            auto const message = *octets;
            auto summary = co_await parts_.heavy->run([message, limits] { return mime::summarize(message, *limits); });
            if (!summary) co_return fail(summary);
            p.message.summary = std::make_shared<mime::summary const>(std::move(*summary));
        }
        auto blob = co_await parts_.accounts.storage().stage(*octets);
        if (!blob) co_return fail(blob);
        p.message.blob = std::move(*blob);
        co_return result<void>{};
    }

    /// Started in the order of the requests, so that UIDs ascend; those that wait together share a commit.
    static task<void> commit(store::account_ref account, pending& p)
    {
        std::vector<store::new_message> one(1, p.message);
        if (p.as_uid != 0) {
            p.answer = co_await account.append_as(p.mailbox, p.as_uid, p.message, p.delivery);
            if (p.answer || p.or_from == 0 || p.answer.error().detail != "uid") co_return;
            // Numbers below were other messages' there: whoever knew those must not take this one for them.
            auto const raised = co_await account.raise_uid_next(p.mailbox, p.or_from);
            if (!raised) {
                p.answer = fail(raised);
                co_return;
            }
        }
        p.answer = co_await account.append(p.mailbox, std::move(one), p.delivery);
    }

    /// Waits for the appends and answers them, in order.
    task<result<void>> settle()
    {
        if (pending_.empty()) co_return result<void>{};
        co_await group_.join();
        for (auto const& p : pending_) {
            auto o = p.answer ? json::object{{"uid", p.answer->uids.empty() ? 0 : p.answer->uids.front()}, {"already", p.answer->already}}
                              : refusal(p.answer.error());
            auto const told = co_await reply(std::move(o));
            if (!told) {
                pending_.clear();
                co_return told;
            }
        }
        pending_.clear();
        octets_ = 0;
        co_return co_await peer_.flush(by());
    }

    service_parts const& parts_;
    picture_service picture_;
    net::buffered_stream peer_;
    base::clock& clock_;
    base::task_group group_;
    std::optional<store::account_ref> account_;
    std::list<pending> pending_;
    std::uint64_t octets_ = 0;
};

/// Conversations of one shard: counted, and cut by stop().
struct shard_side {
    base::task_group group;
    std::list<net::stream*> open;
    explicit shard_side(base::executor& e) : group(e) {}
};

}  // namespace

struct service::impl {
    service_parts parts;
    std::mutex mutex;
    std::map<net::shard*, std::unique_ptr<shard_side>> sides;
    std::atomic<bool> stopping{false};
    explicit impl(service_parts p) : parts(std::move(p)) {}

    shard_side& side(net::shard& s)
    {
        std::lock_guard const lock{mutex};
        auto& slot = sides[&s];
        if (!slot) slot = std::make_unique<shard_side>(s);
        return *slot;
    }
    task<void> talk(shard_side& mine, net::accepted connection)
    {
        conversation c{parts, std::move(connection.connection)};
        auto const place = mine.open.insert(mine.open.end(), &c.raw());
        co_await c.run();
        mine.open.erase(place);
    }
};

service::service(service_parts p) : impl_(std::make_unique<impl>(std::move(p))) {}
service::~service() = default;

void service::serve(net::shard& here, net::accepted connection)
{
    if (impl_->stopping) return;
    auto& mine = impl_->side(here);
    mine.group.spawn(impl_->talk(mine, std::move(connection)));
}

task<void> service::stop()
{
    impl_->stopping = true;
    std::vector<std::pair<net::shard*, shard_side*>> all;
    {
        std::lock_guard const lock{impl_->mutex};
        for (auto& [shard, side] : impl_->sides) all.emplace_back(shard, side.get());
    }
    auto& home = base::executor::current();
    for (auto& [shard, side] : all) {
        co_await base::hop_to{*shard};
        for (auto* s : side->open) s->abort();
        co_await side->group.join();
    }
    co_await base::hop_to{home};
}

task<void> converse(service_parts parts, std::unique_ptr<net::stream> connection)
{
    conversation c{parts, std::move(connection)};
    co_await c.run();
}

}  // namespace mansio::transfer
