// What scripts/lib/coroutines.query must find, and what it must let pass. A line is found if and only if it ends
// with the comment `found`; scripts/check compiles and compares this file each time. It is part of no program.
#include <functional>
#include <string>
#include <vector>

#include "libmail/async/task.h"

namespace {

using posthorn::async::Task;

struct Pair {
  std::string a;
  int b;
};
Task<std::string> pair(Pair x) {
  co_return x.a;
}
Task<std::string> text(std::string s) {
  co_return s;
}
Task<std::string> call(std::function<std::string()> f) {
  co_return f();
}
Task<void> joined(std::vector<std::string> v);
void start(Task<void> task);

// clang-format off
Task<void> braces() {
  auto a = co_await pair(Pair{"a", 1});               // found
  auto b = co_await pair({.a = "a", .b = 1});         // found
  Pair c{co_await text("x"), 2};                      // found
  Pair d = {.a = co_await text("x"), .b = 2};         // found
  std::vector<std::string> v;
  v.push_back({co_await text("x")});                  // found
  co_await joined({a, b});                            // found
  co_await joined(v);
  Pair named{"a", 1};
  auto e = co_await pair(std::move(named));
  const int trivial{3};
  co_await text(std::string("abc") + e + c.a + d.a + std::to_string(trivial));
}
Task<Pair> returned() {
  co_return Pair{co_await text("x"), 2};              // found
}
Task<void> choice(bool c) {
  auto a = c ? co_await text("x") : co_await text("y");  // found
  auto b = co_await text(std::string(c ? "x" : "y"));    // found
  const char* named = c ? "x" : "y";
  if (co_await text(named) == a) co_await text(b);
}
Task<void> heap() {
  auto* p = new std::string(co_await text("x"));      // found
  delete p;
}
Task<void> lambdas(std::string s) {
  auto a = co_await call([s] { return s; });          // found
  std::function<std::string()> named = [s] { return s; };
  auto b = co_await call(std::move(named));
  auto captures = [s]() -> Task<void> {               // found
    auto c = co_await text(s);
  };
  co_await captures();
  co_await [](std::string t) -> Task<void> { auto c = co_await text(std::move(t)); }(a + b);
}
void inner_statements_are_their_own() {
  start([]() -> Task<void> {
    auto x = co_await text("x");
    const std::string y = x.empty() ? "a" : "b";
    const std::vector<std::string> v{x, y};
    co_await joined(v);
  }());
  std::string s;
  start([&]() -> Task<void> {                         // found
    auto x = co_await text(s);
  }());
}
struct Transfer {
  bool await_ready();
  std::coroutine_handle<> await_suspend(std::coroutine_handle<>);  // found
  void await_resume();
};
struct Sound {
  bool await_ready();
  bool await_suspend(std::coroutine_handle<>);
  void await_resume();
};

}  // namespace
