// RFC 8621 4.1.4, with its recursion unrolled.
#include "libmail/message/message_view.h"

namespace posthorn::message {
namespace {

bool is_media(const MediaType& media) {
  return media.top == TopType::image || media.top == TopType::audio || media.top == TopType::video;
}

bool is_text(const MediaType& media, Subtype subtype) {
  return media.top == TopType::text && media.sub == subtype;
}

// One multipart, or the message itself.
struct Frame {
  std::uint32_t next = Part::none;  // the child to look at
  Subtype multipart = Subtype::mixed;
  bool first = true;
  bool in_alternative = false;
  // Inside of an alternative only one of the two is still added to.
  bool adds_text = true;
  bool adds_html = true;
  std::size_t text_before = 0;
  std::size_t html_before = 0;
};

class Chooser {
 public:
  Chooser(const PartTree& tree, const std::function<PartUse(std::uint32_t)>& use)
      : tree_(tree), use_(use) {}

  BodyChoice choose() {
    Frame message;
    message.next = 0;
    frames_.push_back(message);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.next == Part::none) {
        end_multipart(frame);
        frames_.pop_back();
        continue;
      }
      const std::uint32_t part = frame.next;
      // The message itself has no sibling.
      frame.next = tree_.parts[part].next;
      const bool first = frame.first;
      frame.first = false;
      take(part, first);
    }
    return std::move(choice_);
  }

 private:
  void take(std::uint32_t index, bool first) {
    Frame& frame = frames_.back();
    const Part& part = tree_.parts[index];
    if (part.media.multipart() && !part.has(Part::opaque)) {
      Frame inner;
      inner.next = tree_.first_child(index);
      inner.multipart = part.media.sub;
      inner.in_alternative = frame.in_alternative || part.media.sub == Subtype::alternative;
      inner.adds_text = frame.adds_text;
      inner.adds_html = frame.adds_html;
      inner.text_before = choice_.text.size();
      inner.html_before = choice_.html.size();
      frames_.push_back(inner);
    } else if (is_inline(index, first)) {
      take_inline(index, frame);
    } else {
      choice_.attachments.push_back(index);
    }
  }

  bool is_inline(std::uint32_t index, bool first) {
    const MediaType media = tree_.parts[index].media;
    const bool shown =
        is_text(media, Subtype::plain) || is_text(media, Subtype::html) || is_media(media);
    if (!shown) return false;
    const PartUse use = use_(index);
    if (use.kept_apart) return false;
    return first ||
           (frames_.back().multipart != Subtype::related && (is_media(media) || !use.named));
  }

  void take_inline(std::uint32_t index, Frame& frame) {
    const MediaType media = tree_.parts[index].media;
    if (frame.multipart == Subtype::alternative) {
      if (is_text(media, Subtype::plain)) {
        choice_.text.push_back(index);
      } else if (is_text(media, Subtype::html)) {
        choice_.html.push_back(index);
      } else {
        choice_.attachments.push_back(index);
      }
      return;
    }
    if (frame.in_alternative) {
      if (is_text(media, Subtype::plain)) frame.adds_html = false;
      if (is_text(media, Subtype::html)) frame.adds_text = false;
    }
    if (frame.adds_text) choice_.text.push_back(index);
    if (frame.adds_html) choice_.html.push_back(index);
    if ((!frame.adds_text || !frame.adds_html) && is_media(media))
      choice_.attachments.push_back(index);
  }

  // An alternative in which only one form was found: it serves as both.
  void end_multipart(const Frame& frame) {
    if (frame.multipart != Subtype::alternative || !frame.adds_text || !frame.adds_html) return;
    const bool no_text = choice_.text.size() == frame.text_before;
    const bool no_html = choice_.html.size() == frame.html_before;
    if (no_text == no_html) return;
    const auto& from = no_text ? choice_.html : choice_.text;
    auto& to = no_text ? choice_.text : choice_.html;
    const std::size_t begin = no_text ? frame.html_before : frame.text_before;
    to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(begin), from.end());
  }

  const PartTree& tree_;
  const std::function<PartUse(std::uint32_t)>& use_;
  BodyChoice choice_;
  std::vector<Frame> frames_;
};

}  // namespace

BodyChoice choose_bodies(const MessageView& message) {
  return choose_bodies(message.tree(), [&message](std::uint32_t index) {
    const PartContent content = message.content(index);
    return PartUse{content.disposition && !content.disposition->is_inline(),
                   !content.filename.empty()};
  });
}

BodyChoice choose_bodies(const PartTree& tree, const std::function<PartUse(std::uint32_t)>& use) {
  return Chooser(tree, use).choose();
}

}  // namespace posthorn::message
