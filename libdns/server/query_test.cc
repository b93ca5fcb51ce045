#include "libdns/server/query.h"

#include <catch2/catch.hpp>

#include "libdns/server/test_question.h"

using namespace posthorn::dns;

namespace {

Query read(std::string_view packet) {
  Query query;
  read_query(packet, query);
  return query;
}

}  // namespace

TEST_CASE("read_query: a plain question, its name folded and its spelling kept") {
  const std::string packet = TestQuestion("WwW.Example.test", Type::mx).packet();
  const Query query = read(packet);
  REQUIRE(query.form == Query::Form::plain);
  CHECK(query.id == 4711);
  CHECK(query.type == Type::mx);
  CHECK(query.folded_name() == name_of("www.example.test").wire());
  CHECK(query.name().text() == "WwW.Example.test");
  CHECK(query.question_end == packet.size());
  CHECK_FALSE(query.edns);
}

TEST_CASE("read_query: EDNS with its size, DO and a cookie") {
  TestQuestion question;
  question.dnssec_ok = true;
  question.udp_octets = 4096;
  question.options = {{3, ""}, {10, "12345678"}};
  const std::string packet = question.packet();
  const Query query = read(packet);
  REQUIRE(query.form == Query::Form::plain);
  CHECK(query.edns);
  CHECK(query.dnssec_ok);
  CHECK(query.udp_octets == 4096);
  CHECK(query.cookie == "12345678");
}

TEST_CASE("read_query: an announced size below 512 counts as 512") {
  TestQuestion question;
  question.edns = true;
  question.udp_octets = 0;
  const std::string packet = question.packet();
  CHECK(read(packet).udp_octets == 512);
}

TEST_CASE("read_query: answers and what is shorter than a header are ignored") {
  std::string packet = TestQuestion().packet();
  packet[2] = static_cast<char>(packet[2] | 0x80);
  CHECK(read(packet).form == Query::Form::ignored);
  CHECK(read(packet.substr(0, 11)).form == Query::Form::ignored);
  CHECK(read("").form == Query::Form::ignored);
}

TEST_CASE("read_query: no prefix of a packet is a plain question, and none is read beyond") {
  TestQuestion question;
  question.edns = true;
  question.options = {{10, "12345678"}};
  const std::string packet = question.packet();
  for (std::size_t size = 12; size < packet.size(); ++size) {
    const std::string part = packet.substr(0, size);
    CHECK(read(part).form == Query::Form::special);
  }
  CHECK(read(packet + "x").form == Query::Form::special);
}

TEST_CASE("read_query: pointers, other label types and other opcodes are left to the parser") {
  std::string pointer = TestQuestion().packet();
  pointer[12] = static_cast<char>(0xc0);
  CHECK(read(pointer).form == Query::Form::special);
  std::string opcode = TestQuestion().packet();
  opcode[2] = static_cast<char>(5 << 3);
  CHECK(read(opcode).form == Query::Form::special);
  std::string two = TestQuestion().packet();
  two[5] = 2;
  CHECK(read(two).form == Query::Form::special);
}

TEST_CASE("read_query: more options than anybody needs are not walked through") {
  TestQuestion question;
  question.edns = true;
  for (int i = 0; i < 101; ++i) question.options.emplace_back(65001, "");
  const std::string packet = question.packet();
  CHECK(read(packet).form == Query::Form::special);
}
