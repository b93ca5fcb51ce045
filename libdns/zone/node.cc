#include "libdns/zone/node.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t leaf_nodes = 128;    // of a leaf that is made new
constexpr std::size_t most_in_leaf = 256;  // then it is split

}  // namespace

NodeKey::NodeKey(const Name& name, std::size_t origin_labels) {
  const std::string_view wire = name.wire();
  std::array<std::uint8_t, max_labels> starts;
  std::size_t count = 0;
  for (std::size_t at = 0; wire[at] != 0; at += 1 + static_cast<unsigned char>(wire[at])) {
    starts[count++] = static_cast<std::uint8_t>(at);
  }
  std::size_t end = 0;
  ends_[0] = 0;
  labels_ = count - origin_labels;
  for (std::size_t i = 0; i < labels_; ++i) {
    const std::size_t start = starts[labels_ - 1 - i];
    for (const char c : wire.substr(start + 1, static_cast<unsigned char>(wire[start]))) {
      const char folded = to_lower(c);
      if (folded == 0 || folded == 1) {
        octets_[end++] = 1;
        octets_[end++] = static_cast<char>(folded + 1);
      } else {
        octets_[end++] = folded;
      }
    }
    octets_[end++] = 0;
    ends_[i + 1] = static_cast<std::uint16_t>(end);
  }
}

const RrSet* ZoneNode::find(Type type) const {
  // A handful, so walking them is faster than searching.
  for (const RrSet& set : sets) {
    if (set.type == type) return &set;
  }
  return nullptr;
}

std::size_t NodeIndex::slot_of(std::string_view key, std::size_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.node == nullptr || (slot.hash == hash && slot.node->key == key)) return at;
  }
}

const ZoneNode* NodeIndex::find(std::string_view key) const {
  if (slots_.empty()) return nullptr;
  return slots_[slot_of(key, std::hash<std::string_view>()(key))].node;
}

void NodeIndex::reserve(std::size_t nodes) {
  if (2 * nodes <= slots_.size()) return;
  const std::vector<Slot> old = std::move(slots_);
  slots_ = std::vector<Slot>(std::bit_ceil(std::max<std::size_t>(2 * nodes, 16)));
  for (const Slot& slot : old) {
    if (slot.node != nullptr) slots_[slot_of(slot.node->key, slot.hash)] = slot;
  }
}

void NodeIndex::put(const ZoneNode& node) {
  reserve(used_ + 1);
  const std::size_t hash = std::hash<std::string_view>()(node.key);
  Slot& slot = slots_[slot_of(node.key, hash)];
  if (slot.node == nullptr) ++used_;
  slot.hash = hash;
  slot.node = &node;
}

// What stands behind moves up, so that every node is still found from where its hash points.
void NodeIndex::erase(std::string_view key) {
  if (slots_.empty()) return;
  std::size_t hole = slot_of(key, std::hash<std::string_view>()(key));
  if (slots_[hole].node == nullptr) return;
  --used_;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (hole + 1) & mask; slots_[at].node != nullptr; at = (at + 1) & mask) {
    const std::size_t home = slots_[at].hash & mask;
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = Slot();
}

const ZoneNode* NodeTree::Position::node() const {
  if (leaf_ >= tree_->branches_.size()) return nullptr;
  const Leaf& leaf = *tree_->branches_[leaf_].leaf;
  return index_ < leaf.size() ? leaf[index_].get() : nullptr;
}

void NodeTree::Position::to_next() {
  // Before the first node: leaf and index are the greatest numbers, one more is 0.
  if (leaf_ == std::size_t(-1)) {
    leaf_ = index_ = 0;
    return;
  }
  if (leaf_ >= tree_->branches_.size()) return;
  if (++index_ < tree_->branches_[leaf_].leaf->size()) return;
  ++leaf_;
  index_ = 0;
}

void NodeTree::Position::to_previous() {
  if (leaf_ == std::size_t(-1)) return;
  if (index_ > 0) {
    --index_;
  } else if (leaf_ > 0) {
    --leaf_;
    index_ = tree_->branches_[leaf_].leaf->size() - 1;
  } else {
    leaf_ = index_ = std::size_t(-1);
  }
}

std::size_t NodeTree::leaf_of(std::string_view key) const {
  const auto behind =
      std::upper_bound(branches_.begin(), branches_.end(), key,
                       [](std::string_view k, const Branch& branch) { return k < branch.first; });
  return static_cast<std::size_t>(behind - branches_.begin()) - 1;
}

NodeTree::Position NodeTree::at_or_before(std::string_view key) const {
  const std::size_t at = leaf_of(key);
  if (at == std::size_t(-1)) return Position(*this, at, at);
  const Leaf& leaf = *branches_[at].leaf;
  const auto behind =
      std::upper_bound(leaf.begin(), leaf.end(), key,
                       [](std::string_view k, const Pointer& node) { return k < node->key; });
  return Position(*this, at, static_cast<std::size_t>(behind - leaf.begin()) - 1);
}

NodeTree::Position NodeTree::last() const {
  if (branches_.empty()) return Position(*this, std::size_t(-1), std::size_t(-1));
  return Position(*this, branches_.size() - 1, branches_.back().leaf->size() - 1);
}

// Behind all that is there, in leaves of even size.
void NodeTree::append(std::vector<Pointer> nodes) {
  size_ += nodes.size();
  const std::size_t leaves =
      nodes.size() <= most_in_leaf ? 1 : (nodes.size() + leaf_nodes - 1) / leaf_nodes;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < leaves && !nodes.empty(); ++i) {
    const std::size_t end = nodes.size() * (i + 1) / leaves;
    auto leaf = std::make_shared<Leaf>();
    leaf->reserve(end - begin);
    for (; begin < end; ++begin) leaf->push_back(std::move(nodes[begin]));
    Branch branch;
    branch.first = leaf->front()->key;
    branch.leaf = std::move(leaf);
    branches_.push_back(std::move(branch));
  }
}

NodeTree NodeTree::with(const Changes& changes) const {
  NodeTree tree;
  tree.branches_.reserve(branches_.size() + 1 + changes.size() / leaf_nodes);
  auto change = changes.begin();
  const auto take = [&change](std::vector<Pointer>& nodes) {
    if (change->second) nodes.push_back(change->second);
    ++change;
  };
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    const bool is_last = i + 1 == branches_.size();
    const auto ends_before = [&] {
      return change == changes.end() || (!is_last && change->first >= branches_[i + 1].first);
    };
    if (ends_before()) {
      tree.branches_.push_back(branches_[i]);
      tree.size_ += branches_[i].leaf->size();
      continue;
    }
    std::vector<Pointer> nodes;
    for (const Pointer& node : *branches_[i].leaf) {
      while (!ends_before() && change->first < node->key) take(nodes);
      if (!ends_before() && change->first == node->key) {
        take(nodes);
      } else {
        nodes.push_back(node);
      }
    }
    while (!ends_before()) take(nodes);
    tree.append(std::move(nodes));
  }
  std::vector<Pointer> rest;
  while (change != changes.end()) take(rest);
  tree.append(std::move(rest));
  tree.index_ = index_;
  tree.index_.reserve(tree.size_);
  for (const auto& [key, node] : changes) {
    node ? tree.index_.put(*node) : tree.index_.erase(key);
  }
  return tree;
}

}  // namespace posthorn::dns
