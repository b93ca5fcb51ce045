#include "agents/imapd/thread_tree.h"

#include <algorithm>
#include <unordered_map>

namespace posthorn::imapd {

using imap::ThreadAlgorithm;
using imap::ThreadEntry;

namespace {

constexpr std::size_t none = SIZE_MAX;

bool sent_before(const MessageKeys& a, const MessageKeys& b) {
  return a.sent != b.sent ? a.sent < b.sent : a.uid < b.uid;
}

// ORDEREDSUBJECT: the first message of a subject, and all others below it.
std::vector<ThreadEntry> by_subject(std::vector<MessageKeys> keys) {
  std::sort(keys.begin(), keys.end(), sent_before);
  std::unordered_map<std::string, std::size_t> place;
  std::vector<std::vector<std::uint32_t>> threads;
  for (const MessageKeys& message : keys) {
    const auto [at, is_new] = place.emplace(message.subject, threads.size());
    if (is_new) threads.emplace_back();
    threads[at->second].push_back(message.uid);
  }
  std::vector<ThreadEntry> entries;
  for (const auto& thread : threads)
    for (std::size_t i = 0; i < thread.size(); ++i) entries.emplace_back(thread[i], i == 0 ? 0 : 1);
  return entries;
}

// The containers of REFERENCES: one for each Message-ID that is known or only spoken of.
class Threads {
 public:
  explicit Threads(const std::vector<MessageKeys>& keys) : keys_(keys) {}

  std::vector<ThreadEntry> run(ThreadAlgorithm algorithm) {
    link_all();
    prune();
    if (algorithm == ThreadAlgorithm::references) gather_subjects();
    sort_all(algorithm);
    return entries();
  }

 private:
  struct Node {
    std::size_t message = none;  // in keys_
    std::size_t parent = none;
    bool was_parent = false;  // of some node, at some time
    std::vector<std::size_t> children;
    std::int64_t sent = 0;    // its own, or its first child's
    std::int64_t latest = 0;  // of all in the thread
  };

  std::size_t node_of(const std::string& id) {
    const auto [at, is_new] = by_id_.emplace(id, nodes_.size());
    if (is_new) nodes_.emplace_back();
    return at->second;
  }
  // Whether `node` is `above` or below it. The walk is as long as the thread is deep, but who never had a child is above nobody.
  [[nodiscard]] bool is_below(std::size_t node, std::size_t above) const {
    if (node != above && !nodes_[above].was_parent) return false;
    for (; node != none; node = nodes_[node].parent)
      if (node == above) return true;
    return false;
  }
  void link(std::size_t node, std::size_t parent) {
    nodes_[node].parent = parent;
    if (parent != none) nodes_[parent].was_parent = true;
  }

  // RFC 5256 REFERENCES step 1.
  void link_all() {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      std::size_t node = keys_[i].message_id.empty() ? none : node_of(keys_[i].message_id);
      if (node == none || nodes_[node].message != none) {
        node = nodes_.size();  // no Message-ID, or one that another message has
        nodes_.emplace_back();
      }
      nodes_[node].message = i;
      std::size_t parent = none;
      for (const std::string& id : keys_[i].references) {
        const std::size_t next = node_of(id);
        if (parent != none && nodes_[next].parent == none && !is_below(parent, next))
          link(next, parent);
        parent = next;
      }
      // Its own References say most of its parent: what others guessed is undone.
      link(node, none);
      if (parent != none && !is_below(parent, node)) link(node, parent);
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].parent != none) nodes_[nodes_[i].parent].children.push_back(i);
  }

  // Nodes top down, parents before their children.
  [[nodiscard]] std::vector<std::size_t> in_order() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].parent == none) order.push_back(i);
    for (std::size_t at = 0; at < order.size(); ++at)
      order.insert(order.end(), nodes_[order[at]].children.begin(),
                   nodes_[order[at]].children.end());
    return order;
  }

  // Step 3: nodes without a message go; their children move up, but two or more stay together at the top.
  void prune() {
    const std::vector<std::size_t> order = in_order();
    for (auto at = order.rbegin(); at != order.rend(); ++at) {
      Node& node = nodes_[*at];
      std::vector<std::size_t> children;
      for (const std::size_t child : node.children) {
        const Node& inner = nodes_[child];
        if (inner.message != none) {
          children.push_back(child);
        } else {
          children.insert(children.end(), inner.children.begin(), inner.children.end());
        }
      }
      node.children = std::move(children);
    }
    for (const std::size_t i : order) {
      Node& node = nodes_[i];
      if (node.parent != none) continue;
      if (node.message != none || node.children.size() > 1) {
        roots_.push_back(i);
      } else if (node.children.size() == 1) {
        roots_.push_back(node.children.front());
      }
    }
  }

  [[nodiscard]] const MessageKeys& message_of(std::size_t node) const {
    const Node& at = nodes_[node];
    return keys_[at.message != none ? at.message : nodes_[at.children.front()].message];
  }
  [[nodiscard]] bool is_dummy(std::size_t node) const { return nodes_[node].message == none; }

  // Steps 4 and 5: threads of one subject become one.
  void gather_subjects() {
    std::unordered_map<std::string, std::size_t> table;
    for (const std::size_t root : roots_) {
      const MessageKeys& message = message_of(root);
      if (message.subject.empty()) continue;
      const auto [at, is_new] = table.emplace(message.subject, root);
      if (is_new) continue;
      const bool better =
          (is_dummy(root) && !is_dummy(at->second)) ||
          (message_of(at->second).is_reply && !message.is_reply && !is_dummy(at->second));
      if (better) at->second = root;
    }
    std::vector<std::size_t> kept;
    std::unordered_map<std::size_t, std::size_t>
        became;  // a root of the table to the new one above it
    for (const std::size_t root : roots_) {
      const MessageKeys& message = message_of(root);
      const auto found = table.find(message.subject);
      if (message.subject.empty() || found == table.end() || found->second == root) {
        kept.push_back(root);
        continue;
      }
      merge(root, found->second, became);
    }
    for (std::size_t& root : kept)
      if (const auto above = became.find(root); above != became.end()) root = above->second;
    roots_ = std::move(kept);
  }

  void merge(std::size_t root, std::size_t chosen,
             std::unordered_map<std::size_t, std::size_t>& became) {
    const auto above = became.find(chosen);
    const std::size_t to = above == became.end() ? chosen : above->second;
    if (is_dummy(to)) {
      Node& target = nodes_[to];
      if (!is_dummy(root)) {
        target.children.push_back(root);
      } else {
        target.children.insert(target.children.end(), nodes_[root].children.begin(),
                               nodes_[root].children.end());
      }
      return;
    }
    if (!is_dummy(root) && message_of(root).is_reply && !message_of(to).is_reply) {
      nodes_[to].children.push_back(root);
      return;
    }
    Node both;
    both.children.push_back(to);
    if (is_dummy(root)) {
      both.children.insert(both.children.end(), nodes_[root].children.begin(),
                           nodes_[root].children.end());
    } else {
      both.children.push_back(root);
    }
    nodes_.push_back(std::move(both));
    became[chosen] = nodes_.size() - 1;
  }

  // Step 6. REFS sorts threads by their latest message.
  void sort_all(ThreadAlgorithm algorithm) {
    std::vector<std::size_t> order = roots_;
    for (std::size_t at = 0; at < order.size(); ++at)
      order.insert(order.end(), nodes_[order[at]].children.begin(),
                   nodes_[order[at]].children.end());
    const auto by_date = [this](std::size_t a, std::size_t b) {
      if (nodes_[a].sent != nodes_[b].sent) return nodes_[a].sent < nodes_[b].sent;
      return message_of(a).uid < message_of(b).uid;
    };
    for (auto at = order.rbegin(); at != order.rend(); ++at) {
      Node& node = nodes_[*at];
      if (node.message != none) node.sent = node.latest = keys_[node.message].sent;
      std::sort(node.children.begin(), node.children.end(), by_date);
      if (node.message == none) node.sent = nodes_[node.children.front()].sent;
      for (const std::size_t child : node.children)
        node.latest = std::max(node.latest, nodes_[child].latest);
    }
    if (algorithm == ThreadAlgorithm::refs) {
      std::sort(roots_.begin(), roots_.end(), [this](std::size_t a, std::size_t b) {
        return nodes_[a].latest != nodes_[b].latest ? nodes_[a].latest < nodes_[b].latest : a < b;
      });
    } else {
      std::sort(roots_.begin(), roots_.end(), by_date);
    }
  }

  [[nodiscard]] std::vector<ThreadEntry> entries() const {
    std::vector<ThreadEntry> found;
    std::vector<std::pair<std::size_t, std::uint32_t>> stack;
    for (auto root = roots_.rbegin(); root != roots_.rend(); ++root) stack.emplace_back(*root, 0);
    while (!stack.empty()) {
      const auto [at, depth] = stack.back();
      stack.pop_back();
      const Node& node = nodes_[at];
      found.emplace_back(node.message == none ? 0 : keys_[node.message].uid, depth);
      for (auto child = node.children.rbegin(); child != node.children.rend(); ++child)
        stack.emplace_back(*child, depth + 1);
    }
    return found;
  }

  const std::vector<MessageKeys>& keys_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> roots_;
  std::unordered_map<std::string, std::size_t> by_id_;
};

}  // namespace

std::vector<ThreadEntry> thread_messages(std::vector<MessageKeys> keys, ThreadAlgorithm algorithm) {
  if (algorithm == ThreadAlgorithm::ordered_subject) return by_subject(std::move(keys));
  Threads threads(keys);
  return threads.run(algorithm);
}

}  // namespace posthorn::imapd
