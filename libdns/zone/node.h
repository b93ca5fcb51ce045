// The names of a zone in canonical order, in a tree whose versions share what didn't change.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/rrset.h"

namespace posthorn::dns {

// A name relative to a zone's origin as octets whose plain order is the canonical one (RFC 4034
// 6.1): labels from the right, folded, each ended by 00; octets 00 and 01 of a label are escaped.
// An ancestor's key is a prefix of its descendants' keys; the origin's is empty.
class NodeKey {
 public:
  // `name` is at or below an origin of so many labels.
  NodeKey(const Name& name, std::size_t origin_labels);
  [[nodiscard]] std::string_view octets() const { return {octets_.data(), ends_[labels_]}; }
  [[nodiscard]] std::size_t labels() const { return labels_; }  // below the origin
  // Of the ancestor that has so many labels below the origin; at most labels().
  [[nodiscard]] std::string_view prefix(std::size_t labels) const {
    return {octets_.data(), ends_[labels]};
  }

 private:
  std::array<char, 2 * max_name_octets> octets_;
  std::array<std::uint16_t, max_labels + 1> ends_;
  std::size_t labels_ = 0;
};

// A name that has records: at least one set. Empty non-terminals are no nodes: they exist because
// something below them does.
struct ZoneNode {
  std::string key;
  std::vector<RrSet> sets;  // by type, rising; none is empty

  [[nodiscard]] const Name& owner() const { return sets.front().owner; }
  [[nodiscard]] const RrSet* find(Type type) const;
  bool operator==(const ZoneNode&) const = default;
};

// Finds a node by its key at once, where the order doesn't matter. At most half full.
class NodeIndex {
 public:
  [[nodiscard]] const ZoneNode* find(std::string_view key) const;
  // Takes the place of the node with the same key.
  void put(const ZoneNode& node);
  void erase(std::string_view key);
  void reserve(std::size_t nodes);

 private:
  struct Slot {
    std::size_t hash = 0;
    const ZoneNode* node = nullptr;  // null: free
  };
  // The slot of the key, or the free one where it would stand.
  [[nodiscard]] std::size_t slot_of(std::string_view key, std::size_t hash) const;
  std::vector<Slot> slots_;  // a power of two, or none
  std::size_t used_ = 0;
};

// Immutable once made. Nodes lie in leaves of a few hundred; a new version copies the list of
// leaves, the index, the leaves that changed and the nodes that changed, and shares all else.
class NodeTree {
 public:
  using Pointer = std::shared_ptr<const ZoneNode>;
  using Leaf = std::vector<Pointer>;
  // Null removes the node.
  using Changes = std::map<std::string, Pointer, std::less<>>;

  class Position {
   public:
    // Null before the first node and behind the last.
    [[nodiscard]] const ZoneNode* node() const;
    void to_next();
    void to_previous();

   private:
    friend class NodeTree;
    Position(const NodeTree& tree, std::size_t leaf, std::size_t index)
        : tree_(&tree), leaf_(leaf), index_(index) {}
    const NodeTree* tree_;
    std::size_t leaf_;
    std::size_t index_;
  };

  [[nodiscard]] const ZoneNode* find(std::string_view key) const { return index_.find(key); }
  // The node of the key or the last one before it.
  [[nodiscard]] Position at_or_before(std::string_view key) const;
  [[nodiscard]] Position first() const { return Position(*this, 0, 0); }
  [[nodiscard]] Position last() const;
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] NodeTree with(const Changes& changes) const;

 private:
  struct Branch {
    std::string first;  // the least key in the leaf
    std::shared_ptr<const Leaf> leaf;
  };
  void append(std::vector<Pointer> nodes);
  [[nodiscard]] std::size_t leaf_of(std::string_view key) const;
  std::vector<Branch> branches_;
  NodeIndex index_;
  std::size_t size_ = 0;
};

}  // namespace posthorn::dns
