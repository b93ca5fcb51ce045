// mua: sends, lists, reads, answers and searches mail. One file for each group of verbs.
#include "agents/mua/verbs.h"

int main(int argc, char** argv) {
  return posthorn::mua::run({argv + 1, argv + argc});
}
