// A test fixture in a network namespace of its own, and what is said where that cannot be.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "testing/network_namespace.h"

namespace clerk {

// Begins in a new network namespace, in which lo is down.
class InNetworkNamespace : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!namespace_.obstacle().empty())
      GTEST_SKIP() << "NETWORK NAMESPACES CANNOT BE MADE HERE: " << namespace_.obstacle();
  }

 private:
  NetworkNamespace namespace_;
};

// Why there is no such device, for a test that is skipped.
inline std::string no_device(const TestDevice& device) {
  return "TUN AND TAP DEVICES CANNOT BE MADE HERE: " + device.obstacle();
}

}  // namespace clerk
