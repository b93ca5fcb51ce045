// What SORT and THREAD answered last, for the next one who asks the same about the same messages: a message never changes under its
// UID, so that the answer is good as long as the search in front of it finds the same UIDs. Of all sessions of a process; on the
// loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

// What an answer is about: a mailbox while its UIDs are good, and all else that the answer depends on besides the messages. "" if
// nothing can be kept of that mailbox.
[[nodiscard]] inline std::string question_about(const store::OpenMailbox& mailbox,
                                                const std::string& how) {
  const std::string directory = mailbox.directory();
  if (directory.empty()) return {};
  return directory + '\n' + mailbox.guid() + '\n' +
         std::to_string(mailbox.snapshot()->uid_validity()) + '\n' + how;
}

template <class Answer>
class KeptAnswers {
 public:
  // nullptr: nobody asked lately, or other messages were there. Good until the next call.
  [[nodiscard]] const Answer* find(const std::string& question,
                                   const std::vector<std::uint32_t>& uids) {
    forget_old();
    for (const Kept& kept : kept_) {
      if (kept.question == question && kept.uids == uids) return &kept.answer;
    }
    return nullptr;
  }
  // `question` is from before the first message was read.
  void keep(std::string question, std::vector<std::uint32_t> uids, Answer answer) {
    std::erase_if(kept_, [&](const Kept& kept) { return kept.question == question; });
    if (question.empty() || uids.size() > most_messages) return;
    while (kept_.size() >= most_answers) kept_.pop_front();
    kept_.push_back({std::move(question), std::move(uids), std::move(answer),
                     std::chrono::steady_clock::now()});
  }
  // Called now and then.
  void forget_old() {
    const MonoTime oldest = std::chrono::steady_clock::now() - longest;
    while (!kept_.empty() && kept_.front().made < oldest) kept_.pop_front();
  }

 private:
  static constexpr std::size_t most_answers = 4;
  static constexpr std::size_t most_messages = 250'000;  // of one answer: 3 MB
  static constexpr auto longest = std::chrono::minutes(10);

  struct Kept {
    std::string question;
    std::vector<std::uint32_t> uids;
    Answer answer;
    MonoTime made;
  };
  std::deque<Kept> kept_;  // the oldest first
};

}  // namespace posthorn::imapd
