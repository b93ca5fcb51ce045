// sendmail(1), mailq(1), newaliases(1).
#include "agents/sendmail/run.h"

int main(int argc, char** argv) {
  return posthorn::sendmail::run(argc > 0 ? argv[0] : "sendmail",
                                 {argv + (argc > 0 ? 1 : 0), argv + argc});
}
