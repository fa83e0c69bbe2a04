// mbox files, one for each mailbox; read as they lie, nothing in them is changed.
#include <algorithm>
#include <charconv>
#include <map>

#include "base/bytes.hpp"
#include "transfer/files.hpp"
#include "transfer/mbox_text.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {
namespace {

constexpr std::size_t longest_piece = 65536;
constexpr std::size_t most_files = 100'000;

/// A file's lines with where they begin; a line longer than 64 KiB comes in pieces.
class lines {
public:
    explicit lines(files::reader in, std::uint64_t at = 0) : in_(std::move(in)), at_(at) {}
    struct piece {
        std::string text;         ///< without its line end
        std::uint64_t offset = 0, end = 0;  ///< in the file; `end` lies behind its line end
        bool begins = true;       ///< a line begins with it
        bool ends = true;         ///< and ends with it
    };
    /// nullopt: the end.
    result<std::optional<piece>> next()
    {
        while (held_.find('\n', from_) == std::string::npos && held_.size() - from_ <= longest_piece && !end_) {
            auto const some = in_.next();
            if (!some) return fail(some);
            if (some->empty()) end_ = true;
            held_.erase(0, std::exchange(from_, 0));
            held_ += *some;
        }
        if (from_ == held_.size()) return std::nullopt;
        piece p;
        p.offset = at_;
        p.begins = std::exchange(begins_, true);
        auto const n = held_.find('\n', from_);
        p.ends = n != std::string::npos && n - from_ <= longest_piece;
        auto const length = p.ends ? n - from_ : std::min(held_.size() - from_, longest_piece);
        p.text = held_.substr(from_, length);
        auto const used = length + (p.ends ? 1 : 0);
        from_ += used;
        at_ += used;
        p.end = at_;
        if (p.ends && p.text.ends_with('\r')) p.text.pop_back();
        begins_ = p.ends;
        return p;
    }

private:
    files::reader in_;
    std::string held_;
    std::size_t from_ = 0;
    std::uint64_t at_;
    bool begins_ = true, end_ = false;
};

/// Where in a message its lines are, and which of them are left out: the fields that mbox programs put in.
class header_lines {
public:
    [[nodiscard]] bool inside() const noexcept { return inside_; }
    bool leaves_out(lines::piece const& line, mbox_status& into)
    {
        if (!inside_) return false;
        if (!line.begins) return dropping_;
        if (line.text.empty()) return inside_ = dropping_ = false;
        bool const continues = line.text.front() == ' ' || line.text.front() == '\t';
        if (!continues || !dropping_) dropping_ = !continues && take_status(line.text, into);
        return dropping_;
    }

private:
    bool inside_ = true, dropping_ = false;
};

/// A message is named by its octets, those that others change left out.
class message_digest {
public:
    void feed(lines::piece const& line)
    {
        sha_.feed(line.text);
        if (line.ends) sha_.feed("\n");
    }
    std::string finish()
    {
        auto const digest = sha_.finish();
        return base::to_hex(std::string_view{reinterpret_cast<char const*>(digest.data()), 16});
    }

private:
    base::sha256_stream sha_;
};

/// What is found out about one message while the file is scanned.
struct scanned {
    source_message message;
    mbox_status status;
    message_digest digest;
    std::optional<std::uint64_t> content_length;
    header_lines header;
};

/// Whether a message begins at `offset`, blank lines before it left out, or the file ends there.
bool boundary_at(std::string const& path, std::uint64_t offset)
{
    auto in = files::reader::open(path);
    if (!in || !in->seek(offset)) return false;
    auto const some = in->next();
    if (!some) return false;
    auto text = *some;
    text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
    return text.empty() || parse_from_line(text.substr(0, text.find('\n'))).has_value();
}

class mbox_source final : public source {
public:
    mbox_source(std::string path, std::string folder, store::spool& spool) : path_(std::move(path)), folder_(std::move(folder)), spool_(spool) {}
    std::string name() const override { return "mbox " + path_; }
    /// A message of an mbox is named by its octets.
    std::string identity() const override { return "mbox"; }

    task<result<std::vector<source_folder>>> folders() override
    {
        std::vector<source_folder> out;
        if (!files::is_directory(path_)) {
            auto const name = folder_.empty() ? "INBOX" : folder_;
            add(out, name, name, path_);
            co_return out;
        }
        std::vector<std::pair<std::string, std::string>> open{{"", folder_}};
        while (!open.empty() && out.size() < most_files) {
            auto const [directory, name] = open.back();
            open.pop_back();
            for (auto const& entry : files::list(directory.empty() ? path_ : path_ + "/" + directory)) {
                if (entry.starts_with('.') || entry == folders_file) continue;
                auto const id = directory.empty() ? entry : directory + "/" + entry;
                auto const inside = path_ + "/" + id;
                if (files::is_link(inside)) {
                    // It may lead into mail of somebody else, whom the one who runs this may read and the one who made it not.
                    add(out, id, id, inside);
                    out.back().selectable = false;
                    out.back().note = "it is a symbolic link and left out";
                    continue;
                }
                auto leaf = entry;
                if (leaf.ends_with(".mbox") && leaf.size() > 5) leaf.resize(leaf.size() - 5);
                bool const apples = entry == "mbox" && directory.ends_with(".mbox");  // "Work.mbox/mbox"
                auto full = apples ? name : (name.empty() ? "" : name + "/") + leaf;
                if (base::equal_ignoring_case(full, "INBOX")) full = "INBOX";
                if (files::is_directory(inside))
                    open.emplace_back(id, full);
                else
                    add(out, full, id, inside);
            }
        }
        for (auto const ours = exported_folders(path_); auto& f : out) {
            auto const known = ours.find(f.id);
            if (known == ours.end()) continue;
            auto where = std::move(f.where);
            f = known->second;
            f.where = std::move(where);
            if (!folder_.empty()) f.name = folder_ + "/" + f.name;
        }
        co_return out;
    }

    task<result<std::vector<source_message>>> messages(source_folder& f) override
    {
        auto in = files::reader::open(f.where);
        if (!in) co_return fail(in);
        lines text{std::move(*in)};
        std::vector<source_message> out;
        std::map<std::string, unsigned> same;
        std::optional<scanned> now;
        bool blank = true;
        std::uint64_t body_until = 0, pieces = 0, end = 0;
        auto const close = [&](std::uint64_t at) {
            if (!now) return;
            now->message.size = at - now->message.offset;
            auto key = now->digest.finish();
            if (auto const n = same[key]++; n != 0) key += "-" + std::to_string(n);
            now->message.key = std::move(key);
            now->message.flags = std::move(now->status.flags);
            now->message.uid = now->status.uid;
            if (now->status.uid_validity != 0 && out.empty()) {
                f.uid_validity = now->status.uid_validity;
                f.uid_next = now->status.uid_next;
            }
            if (!now->status.internal) out.push_back(std::move(now->message));
            now.reset();
        };
        while (true) {
            auto const p = text.next();
            if (!p) co_return fail(p);
            if (!*p) break;
            if (++pieces % 4096 == 0) co_await base::yield_now{};
            auto const& line = **p;
            end = line.end;
            auto const from = line.begins && blank && line.offset >= body_until ? parse_from_line(line.text) : std::nullopt;
            if (from) {
                close(line.offset);
                now.emplace();
                now->message.offset = line.offset;
                now->message.date = from->date;
                now->digest.feed(line);
                blank = false;
                continue;
            }
            if (now) take(*now, line, f.where, body_until);
            blank = line.begins && line.text.empty();
        }
        if (!now && out.empty() && end != 0)
            co_return fail(fault::kind::refused, base::printable(f.where, 400) + " is no mbox file: it does not begin with \"From \"");
        close(end);
        // UIDs that do not ascend are of no use.
        for (std::uint32_t last = 0; auto& m : out) {
            if (m.uid <= last) m.uid = 0;
            last = std::max(last, m.uid);
        }
        co_return out;
    }

    task<result<void>> read(source_folder const& f, std::vector<source_message> which, message_receiver& to) override
    {
        for (auto const& m : which) {
            auto w = spool_.open(store::line_ends::normalized);
            auto const octets = copy(f.where, m, w);
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
    static void add(std::vector<source_folder>& out, std::string name, std::string id, std::string where)
    {
        source_folder f;
        f.name = std::move(name);
        f.id = std::move(id);
        f.where = std::move(where);
        out.push_back(std::move(f));
    }

    static void take(scanned& s, lines::piece const& line, std::string const& path, std::uint64_t& body_until)
    {
        bool const before = s.header.inside();
        if (s.header.leaves_out(line, s.status)) return;
        if (before && !s.header.inside()) {
            // mboxcl: trusted only where it leads to another message or the end.
            auto const n = s.content_length.value_or(1ULL << 40U);
            if (n < (1ULL << 40U) && boundary_at(path, line.end + n)) body_until = line.end + n;
        }
        constexpr std::string_view length = "Content-Length:";
        if (s.header.inside() && line.begins && base::starts_with_ignoring_case(line.text, length)) {
            auto const value = base::trim_blanks(std::string_view{line.text}.substr(length.size()));
            std::uint64_t n = 0;
            auto const [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
            if (error == std::errc{} && end == value.data() + value.size()) s.content_length = n;
        }
        s.digest.feed(line);
    }

    /// The message without status fields, quoting and the blank line that parts it from the next.
    static result<mime::octets> copy(std::string const& path, source_message const& m, store::spool::writer& w)
    {
        auto in = files::reader::open(path);
        if (!in) return fail(in);
        if (auto const there = in->seek(m.offset); !there) return fail(there);
        lines text{std::move(*in), m.offset};
        header_lines header;
        message_digest digest;
        mbox_status ignored;
        bool from_line = true;
        while (true) {
            auto p = text.next();
            if (!p) return fail(p);
            if (!*p || (*p)->offset >= m.offset + m.size) break;
            auto const& line = **p;
            if (std::exchange(from_line, false)) {
                digest.feed(line);
                continue;
            }
            bool const in_body = !header.inside();
            if (header.leaves_out(line, ignored)) continue;
            digest.feed(line);
            if (in_body && line.begins && line.text.empty() && line.end >= m.offset + m.size) continue;  // what parts it from the next message
            auto const out = line.begins ? unquoted(line.text) : std::string_view{line.text};
            if (auto const put = w.append(out); !put) return fail(put);
            if (!line.ends) continue;
            if (auto const put = w.append("\r\n"); !put) return fail(put);
        }
        // Another program may write the file meanwhile; what is there now will come with the next import.
        if (!m.key.starts_with(digest.finish())) return fail(fault::kind::refused, "the file was changed while it was read: import again");
        return w.finish();
    }

    std::string path_, folder_;
    store::spool& spool_;
};

}  // namespace

result<std::unique_ptr<source>> open_mbox(std::string path, std::string folder, store::spool& spool)
{
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    if (!files::exists(path)) return fail(fault::kind::refused, "there is no " + base::printable(path, 400));
    return std::make_unique<mbox_source>(std::move(path), std::move(folder), spool);
}

}  // namespace mansio::transfer
