#include "imap/metadata_watch.hpp"

#include <map>

#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {

task<result<std::unique_ptr<metadata_watch::watched>>> metadata_watch::begin(store::account_ref account, store::mailbox_id only)
{
    auto w = std::make_unique<watched>();
    w->account = std::move(account);
    w->only = only;
    auto watching = co_await w->account.watch(store::all_annotations, [this, at = w.get()] {
        at->dirty = true;
        s_.woken();
    });
    if (!watching) co_return fail(watching);
    w->watch = std::move(*watching);
    auto const now = co_await w->account.annotation_news_since(std::nullopt);
    if (!now) co_return fail(now);
    w->since = now->now;
    co_return w;
}

task<result<void>> metadata_watch::follow()
{
    if (!own_) {
        auto begun = co_await begin(s_.own_account(), 0);
        if (!begun) co_return fail(begun);
        own_ = std::move(*begun);
    }
    auto const* const open = s_.selected();
    bool const others = open != nullptr && !open->account.own() && s_.hears_metadata();
    if (!others) other_.reset();
    if (!others || (other_ && other_->account.number() == open->account.number() && other_->only == open->info.id)) co_return result<void>{};
    auto begun = co_await begin(open->account, open->info.id);
    if (!begun) co_return fail(begun);
    other_ = std::move(*begun);
    co_return result<void>{};
}

task<result<void>> metadata_watch::tell()
{
    if (own_ && own_->dirty) {
        auto const told = co_await tell_one(*own_);
        if (!told) co_return fail(told);
    }
    if (other_ && other_->dirty) co_return co_await tell_one(*other_);
    co_return result<void>{};
}

bool metadata_watch::wanted(watched const& w, store::annotation_news::item const& i) const
{
    if (i.by == s_.author() || (w.only != 0 && i.mailbox != w.only)) return false;
    if (i.name == "/private/specialuse" && !s_.offers(extension::special_use)) return false;
    if (s_.hears_metadata()) return true;
    auto const* const n = s_.notifying();
    if (n == nullptr) return false;
    return i.mailbox == 0 ? n->wants(event::server_metadata) : n->wants(event::mailbox_metadata, i.mailbox_name, i.subscribed);
}

// metadata-resp = "METADATA" SP mailbox SP entry-list: names alone, never values
task<result<void>> metadata_watch::tell_one(watched& w)
{
    w.dirty = false;
    auto const news = co_await w.account.annotation_news_since(w.since);
    if (!news) co_return result<void>{};  // not now, or the account is gone
    w.since = news->now;
    std::map<std::string, std::string> lines;
    for (auto const& i : news->changed) {
        if (!wanted(w, i)) continue;
        auto& line = lines[w.only != 0 ? s_.selected()->info.name : i.mailbox_name];
        line += ' ';
        wire::append_astring(line, i.name);
    }
    std::string out;
    for (auto const& [mailbox, entries] : lines) {
        out += "* METADATA ";
        append_mailbox(out, mailbox, s_.names());
        out += entries;
        out += "\r\n";
    }
    co_return co_await s_.send(out);
}

}  // namespace mansio::imap
