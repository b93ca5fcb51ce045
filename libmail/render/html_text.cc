#include "libmail/render/html_text.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "libmail/base/text.h"
#include "libmail/message/characters.h"
#include "libmail/message/utf8.h"
#include "libmail/render/html_tokens.h"
#include "libmail/render/text_layout.h"

namespace posthorn::render {

namespace {

using Kind = TextLayout::Kind;

constexpr std::size_t longest_link = 2000;
constexpr std::size_t longest_link_text = 300;

bool one_of(std::string_view name, std::string_view list) {
  return list.find(" " + std::string(name) + " ") != std::string_view::npos;
}

constexpr std::string_view lines =
    " div section article header footer nav aside main address center form fieldset figure "
    "figcaption "
    "details summary tr table thead tbody tfoot body html dl dt dd legend caption option optgroup ";
constexpr std::string_view paragraphs = " p h1 h2 h3 h4 h5 h6 pre blockquote ";
// What isn't for reading. Their contents are passed over.
constexpr std::string_view unread = " title textarea select template svg math datalist ";
// Ends SVG and MathML wherever it stands (WHATWG 13.2.6.5), so they can't hide what follows.
constexpr std::string_view ends_foreign =
    " b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img "
    "li "
    "listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var ";
constexpr std::string_view hideable = " div span table tr td font center ";

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_space(c) && c != '\n' && c != '\r') out += to_lower(c);
  }
  return out;
}

// A link as it may be shown; "" if it is none that leads anywhere.
std::string clean_link(std::string_view target) {
  std::string out;
  for (target = trim(target); !target.empty() && out.size() < longest_link;) {
    const char32_t c = message::take_code_point(target);
    if (message::is_control(c) || message::is_invisible(c)) continue;
    if (c == ' ' || message::is_odd_space(c)) {
      out += "%20";
    } else {
      message::append_utf8(out, c);
    }
  }
  if (!target.empty()) out += "...";
  for (const std::string_view scheme : {"http://", "https://", "mailto:", "ftp://", "tel:"}) {
    if (istarts_with(out, scheme)) return out;
  }
  return {};
}

// "www.bank.example" of "https://ann@www.bank.example:8080/x", without "www."; "" if there is none.
std::string host_of(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
  text = text.substr(0, text.find_first_of("/?#\\"));
  if (scheme != std::string_view::npos) {
    const std::size_t user = text.rfind('@');
    if (user != std::string_view::npos) text.remove_prefix(user + 1);
  }
  text = text.substr(0, text.find(':'));
  std::string host = lower(text);
  if (host.starts_with("www.")) host.erase(0, 4);
  const std::size_t dot = host.rfind('.');
  const bool name = dot != std::string::npos && dot > 0 && host.size() - dot > 2 &&
                    std::ranges::all_of(host, [](char c) {
                      return is_alnum(c) || c == '-' || c == '.' || is_8bit(c);
                    });
  return name ? host : std::string();
}

class Renderer {
 public:
  explicit Renderer(const HtmlTextOptions& options)
      : options_(options), layout_(options.width, options.depth) {}

  void take(const HtmlToken& token) {
    if (!skipped_.empty() && skip(token)) return;
    switch (token.kind) {
      case HtmlToken::Kind::text:
        return text(token.text);
      case HtmlToken::Kind::start:
        return start(token);
      case HtmlToken::Kind::end:
        return end(token.text);
    }
  }

  void finish(HtmlText& result) {
    end_link();
    result.text = layout_.take();
    if (options_.list_links && !targets_.empty()) {
      result.text += result.text.empty() ? "" : "\n";
      for (std::size_t i = 0; i < targets_.size(); ++i) {
        result.text += "[" + std::to_string(i + 1) + "] " + targets_[i];
        if (!claims_[i].empty()) result.text += "  (the text says " + claims_[i] + ")";
        result.text += '\n';
      }
    }
    result.links = std::move(targets_);
  }

 private:
  // Within what isn't shown. False where that ends before the token.
  bool skip(const HtmlToken& token) {
    const bool foreign = skipped_ == "svg" || skipped_ == "math";
    if (foreign && token.kind == HtmlToken::Kind::start && one_of(token.text, ends_foreign)) {
      skipped_.clear();
      return false;
    }
    if (token.kind == HtmlToken::Kind::text || token.text != skipped_) return true;
    if (token.kind == HtmlToken::Kind::end) {
      --skip_depth_;
    } else if (!foreign || !token.self_closing) {
      ++skip_depth_;
    }
    if (skip_depth_ == 0) skipped_.clear();
    return true;
  }

  void begin_skip(const HtmlToken& token) {
    const bool foreign = token.text == "svg" || token.text == "math";
    if (foreign && token.self_closing) return;
    skipped_ = token.text;
    skip_depth_ = 1;
  }

  void text(std::string_view text) {
    if (pre_ > 0) {
      // The line end behind the tag belongs to the tag.
      if (std::exchange(fresh_pre_, false) && text.starts_with('\n')) text.remove_prefix(1);
      layout_.preformatted(text);
    } else {
      layout_.flow(text);
    }
    if (in_link_ && link_text_.size() < longest_link_text)
      link_text_.append(text.substr(0, longest_link_text));
  }

  void start(const HtmlToken& token) {
    const std::string& name = token.text;
    if (one_of(name, unread)) return begin_skip(token);
    if (one_of(name, hideable) &&
        squeezed(token.attribute("style")).find("display:none") != std::string::npos)
      return begin_skip(token);
    if (one_of(name, paragraphs)) {
      layout_.end_paragraph();
    } else if (one_of(name, lines) || name == "br") {
      layout_.end_line();
    }
    if (name == "a") {
      end_link();
      target_ = clean_link(token.attribute("href"));
      in_link_ = !target_.empty();
    } else if (name == "img") {
      image(token);
    } else if (name == "td" || name == "th") {
      if (!layout_.line_empty()) layout_.literal("  ");
    } else if (name == "hr") {
      layout_.rule();
    } else if (name == "pre") {
      ++pre_;
      fresh_pre_ = true;
    } else if (name == "blockquote") {
      layout_.open(Kind::quote);
    } else if (name == "li") {
      layout_.open_item();
    } else if (name == "ul" || name == "menu" || name == "dir") {
      layout_.open(Kind::bullets);
    } else if (name == "ol") {
      layout_.open(Kind::numbers,
                   parse_number<std::uint16_t>(token.attribute("start")).value_or(1));
    }
  }

  void image(const HtmlToken& token) {
    const std::string_view alt = token.attribute("alt");
    if (trim(alt).empty()) return;
    layout_.literal("[");
    text(alt);
    layout_.literal("]");
  }

  void end(const std::string& name) {
    if (name == "a") {
      end_link();
    } else if (name == "pre") {
      if (pre_ > 0 && !layout_.line_empty()) layout_.preformatted("\n");
      if (pre_ > 0) --pre_;
    } else if (name == "blockquote") {
      layout_.close(Kind::quote);
    } else if (name == "li") {
      layout_.close_item();
    } else if (name == "ul" || name == "menu" || name == "dir") {
      layout_.close(Kind::bullets);
    } else if (name == "ol") {
      layout_.close(Kind::numbers);
    }
    if (one_of(name, paragraphs)) {
      layout_.end_paragraph();
    } else if (one_of(name, lines)) {
      layout_.end_line();
    }
  }

  void end_link() {
    if (!in_link_) return;
    in_link_ = false;
    const std::string text(trim(link_text_));
    link_text_.clear();
    const std::string_view bare = std::string_view(target_).substr(target_.find(':') + 1);
    if (text == target_ || text == bare) return;
    const auto [known, fresh] = numbers_.try_emplace(target_, targets_.size() + 1);
    if (fresh) {
      if (targets_.size() == options_.links) {
        numbers_.erase(known);
        return;
      }
      targets_.push_back(target_);
      claims_.emplace_back();
    }
    const std::string said =
        text.find(' ') == std::string::npos && text.find('@') == std::string::npos ? host_of(text)
                                                                                   : std::string();
    const std::string real = host_of(target_);
    if (!said.empty() && said != real) claims_[known->second - 1] = said;
    layout_.literal("[" + std::to_string(known->second) + "]");
  }

  const HtmlTextOptions& options_;
  TextLayout layout_;
  std::string skipped_;  // the element whose contents are passed over
  std::size_t skip_depth_ = 0;
  std::size_t pre_ = 0;
  bool fresh_pre_ = false;
  bool in_link_ = false;
  std::string target_;
  std::string link_text_;
  std::vector<std::string> targets_;
  std::vector<std::string> claims_;  // of each target, the host that its text names instead
  std::unordered_map<std::string, std::size_t> numbers_;
};

}  // namespace

HtmlText html_to_text(std::string_view html, const HtmlTextOptions& options) {
  HtmlText result;
  result.cut = html.size() > options.input;
  html = html.substr(0, options.input);
  // Neither the cut nor a careless caller may leave half a character.
  const std::string mended = message::repair_utf8(html);
  HtmlTokenizer tokenizer(mended);
  Renderer renderer(options);
  HtmlToken token;
  while (tokenizer.next(token)) renderer.take(token);
  renderer.finish(result);
  return result;
}

}  // namespace posthorn::render
