// Paragraphs, quotes and lists laid out in lines: the paper that html_text.cc writes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::render {

class TextLayout {
 public:
  TextLayout(std::size_t width, std::size_t depth) : width_(width), depth_(depth) {}

  // Adds to the paragraph: runs of blanks are one, controls and what steers text are left out.
  void flow(std::string_view text);
  // Adds as it stands, line by line (pre).
  void preformatted(std::string_view text);
  // Adds what has its own form: a mark of a link, a gap between cells.
  void literal(std::string_view text);
  [[nodiscard]] bool line_empty() const { return line_.empty() || line_ == " "; }

  // Ends the line or the paragraph, if there is one.
  void end_line();
  void end_paragraph();
  void rule();

  enum class Kind : std::uint8_t { quote, bullets, numbers, item };
  void open(Kind kind, std::size_t first_number = 1);
  // Closes the innermost one of that kind and what is within; nothing if there is none.
  void close(Kind kind);
  void open_item();
  void close_item();

  [[nodiscard]] std::string take();

 private:
  struct Container {
    Kind kind = Kind::quote;
    std::size_t number = 1;  // of the next item
    std::string marker;      // of an item, until its first line is written
    std::size_t indent = 0;
  };
  void put(char32_t c);
  void write(std::string_view line);
  void clear_line();
  [[nodiscard]] std::string prefix();
  [[nodiscard]] std::string quote() const;
  void pop_to(std::size_t size);

  std::size_t width_;
  std::size_t depth_;
  std::vector<Container> containers_;
  std::string line_;
  std::size_t columns_ = 0;  // characters of it
  bool gap_ = false;         // an empty line is due before the next one
  std::string gap_quote_;
  std::string out_;
};

}  // namespace posthorn::render
