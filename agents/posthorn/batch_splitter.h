// Cuts batch SMTP (RFC 2442) between transactions, so that a queue of any size goes through requests of a bounded one.
#pragma once

#include <string>
#include <string_view>

namespace posthorn::operate {

class BatchSplitter {
 public:
  // `enough`: a piece is given as soon as it holds so many octets and ends a transaction.
  explicit BatchSplitter(std::size_t enough) : enough_(enough) {}

  void feed(std::string_view octets);
  // Whole transactions, "" if there are not enough yet. With `at_end` all that is left, even if it is cut off.
  [[nodiscard]] std::string take(bool at_end);

 private:
  void end_line(std::string_view line, std::size_t end);

  std::size_t enough_;
  std::string octets_;
  std::size_t line_ = 0;   // where the line begins that is not complete yet
  std::size_t whole_ = 0;  // octets that are whole transactions
  bool in_data_ = false;
};

}  // namespace posthorn::operate
