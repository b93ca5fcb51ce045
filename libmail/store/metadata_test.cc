#include "libmail/store/metadata.h"

#include <catch2/catch.hpp>

namespace posthorn::store {

TEST_CASE("metadata: any octets come back, and only to whom they belong") {
  Metadata metadata;
  const std::string odd("a\tb\r\nc\0\1d", 9);
  CHECK(metadata.change("ann", {{"/private/comment", odd}, {"/shared/comment", "for all"}}) ==
        MetadataRefusal::none);
  CHECK(metadata.change("bob", {{"/private/comment", "bob's"}}) == MetadataRefusal::none);
  const Metadata again = Metadata::parse(metadata.text());
  CHECK(again.seen_by("ann") ==
        Annotations{{"/private/comment", odd}, {"/shared/comment", "for all"}});
  CHECK(again.seen_by("bob").at("/private/comment") == "bob's");
  CHECK(again.seen_by("eve") == Annotations{{"/shared/comment", "for all"}});
  CHECK(again.text() == metadata.text());
}

TEST_CASE("metadata: what is refused changes nothing") {
  Metadata metadata;
  AnnotationChanges many = {{"/shared/large", std::string(metadata_limits.value + 1, 'x')}};
  CHECK(metadata.change("ann", many) == MetadataRefusal::too_large);
  many.clear();
  for (std::size_t i = 0; i <= metadata_limits.entries; ++i)
    many.emplace_back("/private/" + std::to_string(i), "x");
  CHECK(metadata.change("ann", many) == MetadataRefusal::too_many);
  many.pop_back();
  CHECK(metadata.change("ann", many) == MetadataRefusal::none);
  CHECK(metadata.change("ann", {{"/private/one-more", "x"}}) == MetadataRefusal::too_many);
  CHECK(metadata.change("ann", {{"/private/1", std::nullopt}}) == MetadataRefusal::none);
  CHECK(metadata.seen_by("ann").size() == metadata_limits.entries - 1);
}

TEST_CASE("metadata: damaged lines are passed over") {
  const auto seen = Metadata::parse(
                        "/shared/a\t\tx\n/shared/b\tann\tx\n/private/c\t\tx\nnonsense\n\n"
                        "/etc/d\t\tx\n/shared/e\t\tx\1")
                        .seen_by("ann");
  CHECK(seen == Annotations{{"/shared/a", "x"}});
}

}  // namespace posthorn::store
