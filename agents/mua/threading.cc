#include "agents/mua/threading.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "agents/mua/query_match.h"
#include "libmail/message/base_subject.h"

namespace posthorn::mua {

namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

class Threads {
 public:
  explicit Threads(const std::vector<Summary>& messages)
      : messages_(messages), parent_(messages.size(), none) {}

  std::vector<Threaded> order(bool newest_first) {
    link_references();
    link_subjects();
    std::vector<std::size_t> by_date(messages_.size());
    for (std::size_t i = 0; i < by_date.size(); ++i) by_date[i] = i;
    std::ranges::sort(by_date, [&](std::size_t a, std::size_t b) {
      return std::pair(date(a), messages_[a].uid) < std::pair(date(b), messages_[b].uid);
    });
    children_.assign(messages_.size(), {});
    std::vector<std::size_t> roots;
    std::vector<std::size_t> newest(
        messages_.size());  // place in by_date of a conversation's newest message
    for (std::size_t place = 0; place < by_date.size(); ++place) {
      const std::size_t i = by_date[place];
      (parent_[i] == none ? roots : children_[parent_[i]]).push_back(i);
      newest[root_of(i)] = place;
    }
    std::ranges::sort(roots, [&](std::size_t a, std::size_t b) {
      return newest_first ? newest[a] > newest[b] : newest[a] < newest[b];
    });
    return walk(roots);
  }

 private:
  [[nodiscard]] std::chrono::sys_seconds date(std::size_t i) const {
    return messages_[i].date.value_or(messages_[i].received);
  }
  // With the paths made short on the way, so that long conversations cost nothing.
  std::size_t root_of(std::size_t i) {
    if (short_cut_.empty()) short_cut_ = parent_;
    std::size_t root = i;
    while (short_cut_[root] != none) root = short_cut_[root];
    while (i != root) {
      const std::size_t next = short_cut_[i];
      short_cut_[i] = root;
      i = next;
    }
    return root;
  }
  [[nodiscard]] bool is_above(std::size_t above, std::size_t i) const {
    for (; i != none; i = parent_[i]) {
      if (i == above) return true;
    }
    return false;
  }

  void link_references() {
    std::unordered_map<std::string_view, std::size_t> by_id;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (!messages_[i].message_id.empty()) by_id.emplace(messages_[i].message_id, i);
    }
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const auto& references = messages_[i].references;
      for (auto id = references.rbegin(); id != references.rend(); ++id) {
        const auto found = by_id.find(*id);
        if (found == by_id.end() || is_above(i, found->second)) continue;
        parent_[i] = found->second;
        break;
      }
    }
  }

  void link_subjects() {
    std::unordered_map<std::string, std::size_t>
        roots;  // the conversation of a subject: preferably no reply
    std::vector<message::BaseSubject> subjects(messages_.size());
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (parent_[i] != none) continue;
      subjects[i] = message::base_subject(messages_[i].subject);
      subjects[i].text = fold(subjects[i].text);
      if (subjects[i].text.empty()) continue;
      const auto [place, is_new] = roots.emplace(subjects[i].text, i);
      const std::size_t other = place->second;
      const bool better = !is_new && (subjects[other].reply && !subjects[i].reply);
      if (better) place->second = i;
    }
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (parent_[i] != none || !subjects[i].reply || subjects[i].text.empty()) continue;
      if (!messages_[i].references.empty()) continue;
      const std::size_t root = roots[subjects[i].text];
      if (root != i && !is_above(i, root)) parent_[i] = root;
    }
  }

  [[nodiscard]] std::vector<Threaded> walk(const std::vector<std::size_t>& roots) const {
    std::vector<Threaded> all;
    std::vector<Threaded> waiting;
    for (const std::size_t root : roots) {
      waiting.push_back({root, 0});
      while (!waiting.empty()) {
        const Threaded next = waiting.back();
        waiting.pop_back();
        all.push_back(next);
        const auto& below = children_[next.index];
        for (auto child = below.rbegin(); child != below.rend(); ++child)
          waiting.push_back({*child, next.depth + 1});
      }
    }
    return all;
  }

  const std::vector<Summary>& messages_;
  std::vector<std::size_t> parent_;
  std::vector<std::size_t> short_cut_;
  std::vector<std::vector<std::size_t>> children_;
};

}  // namespace

std::vector<Threaded> order_threads(const std::vector<Summary>& messages, bool newest_first) {
  return Threads(messages).order(newest_first);
}

}  // namespace posthorn::mua
