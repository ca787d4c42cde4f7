// The main of every NAME_test. As in each program, the log is started before there is a second
// thread: made by two that log their first line at once it is a race, to the thread sanitizer,
// which cannot see into spdlog's library.
#include <gmock/gmock.h>

#include "base/log.h"

int main(int argument_count, char** arguments) {
  ::testing::InitGoogleMock(&argument_count, arguments);
  clerk::start_log();
  return RUN_ALL_TESTS();
}
