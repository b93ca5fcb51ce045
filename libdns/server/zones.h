// The zones that this server speaks for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libdns/zone/zone.h"

namespace posthorn::dns {

class Zones {
 public:
  using Pointer = std::shared_ptr<const Zone>;
  struct Match {
    bool is_ours = false;
    Pointer zone;  // null: ours, but nothing to serve: never transferred, or expired. SERVFAIL.
  };
  // The closest zone that the name lies in; for DS at a zone's apex the one above it, if we have it
  // (RFC 4035 3.1.4.1). `folded`: the name in lower case as on the wire.
  [[nodiscard]] Match find(std::string_view folded, Type type) const;
  [[nodiscard]] Pointer at(const Name& origin) const;
  [[nodiscard]] bool has(const Name& origin) const;

  // A new version, or a zone that was not there.
  void put(Pointer zone);
  // Ours, with nothing to serve.
  void put_empty(const Name& origin);
  void remove(const Name& origin);
  [[nodiscard]] std::vector<Name> origins() const;
  // Rises with every change.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  // Called after each change, with the zone's name.
  void on_change(std::function<void(const Name&)> tell) { tell_ = std::move(tell); }

 private:
  void changed(const Name& origin);
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  // By origin, folded, on the wire.
  std::unordered_map<std::string, Pointer, Hash, std::equal_to<>> zones_;
  std::uint64_t generation_ = 1;
  std::function<void(const Name&)> tell_;
};

}  // namespace posthorn::dns
