// Writes a header field word by word. Internal to this folder.
#pragma once
#include <string>
#include <string_view>

namespace mansio::mailauth {

/// Gathers a field's text, going to a new line where the next word would make this one too long. What goes in holds no line end.
class folded_field {
public:
    explicit folded_field(std::string first) : text_(std::move(first)), column_(text_.size()) {}
    /// A word that must not be cut; a blank goes before it.
    void word(std::string_view w)
    {
        if (column_ + 1 + w.size() > line) {
            text_ += "\r\n";
            column_ = 0;
        }
        text_ += ' ';
        text_ += w;
        column_ += 1 + w.size();
    }
    /// What may be cut anywhere, and takes blanks.
    void run(std::string_view octets)
    {
        while (!octets.empty()) {
            if (column_ >= line) {
                text_ += "\r\n ";
                column_ = 1;
            }
            auto const some = octets.substr(0, line - column_);
            text_ += some;
            column_ += some.size();
            octets.remove_prefix(some.size());
        }
    }
    /// A word that begins a line.
    void on_new_line(std::string_view w)
    {
        text_ += "\r\n ";
        text_ += w;
        column_ = 1 + w.size();
    }
    /// Right behind the last word.
    void tail(std::string_view w)
    {
        text_ += w;
        column_ += w.size();
    }
    [[nodiscard]] std::string const& text() const noexcept { return text_; }

private:
    static constexpr std::size_t line = 76;
    std::string text_;
    std::size_t column_;
};

}  // namespace mansio::mailauth
