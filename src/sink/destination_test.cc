#include "sink/destination.h"

#include <gtest/gtest.h>

namespace clerk {
namespace {

Destination parsed(std::string_view text) {
  auto destination = parse_destination(text);
  EXPECT_TRUE(destination) << text << ": " << destination.error().message;
  EXPECT_EQ(destination->name, text);
  return *std::move(destination);
}

void expect_udp(std::string_view text, std::string_view host, std::string_view port) {
  const Destination destination = parsed(text);
  EXPECT_EQ(destination.kind, DestinationKind::Udp) << text;
  EXPECT_EQ(destination.host, host);
  EXPECT_EQ(destination.port, port);
}

void expect_path(std::string_view text, DestinationKind kind, std::string_view path) {
  const Destination destination = parsed(text);
  EXPECT_EQ(destination.kind, kind) << text;
  EXPECT_EQ(destination.path, path);
}

void expect_error(std::string_view text, std::string_view message) {
  const auto destination = parse_destination(text);
  ASSERT_FALSE(destination) << text;
  EXPECT_EQ(destination.error().message, message);
}

TEST(Destination, AHostWithOrWithoutAPortIsUdp) {
  expect_udp("10.0.0.5:9995", "10.0.0.5", "9995");
  expect_udp("flows.example:1", "flows.example", "1");
  expect_udp("10.0.0.5", "10.0.0.5", "4739");
  expect_udp("collector", "collector", "4739");
  expect_udp("udp://flows.example:65535", "flows.example", "65535");
  expect_udp("udp://flows.example", "flows.example", "4739");
}

TEST(Destination, AnIpv6AddressStandsInBrackets) {
  expect_udp("[2001:db8::1]:9995", "2001:db8::1", "9995");
  expect_udp("[::1]", "::1", "4739");
  expect_udp("udp://[fe80::1%eth0]:4740", "fe80::1%eth0", "4740");
  expect_udp("udp://[::1]", "::1", "4739");
}

TEST(Destination, AFileIsNamedBehindItsFormat) {
  expect_path("file:/var/spool/clerk.ipfix", DestinationKind::IpfixFile, "/var/spool/clerk.ipfix");
  expect_path("file:-", DestinationKind::IpfixFile, "-");
  expect_path("csv:flows.csv", DestinationKind::Csv, "flows.csv");
  expect_path("csv:a:b", DestinationKind::Csv, "a:b");
  expect_path("json:-", DestinationKind::Json, "-");
}

TEST(Destination, StdoutIsCsvOnStdout) { expect_path("stdout", DestinationKind::Csv, "-"); }

TEST(Destination, AnEmptyOneIsRefused) {
  expect_error("", "--collector: a destination must follow");
}

TEST(Destination, AFormatWithoutAPathIsRefused) {
  for (const std::string text : {"file:", "csv:", "json:"})
    expect_error(text, "--collector " + text + ": a path must follow the colon");
}

TEST(Destination, APortWithoutAHostIsRefused) {
  for (const std::string text : {":4739", "udp://:4739", "udp://", "[]:4739"})
    expect_error(text, "--collector " + text + ": a host must come before the port");
}

TEST(Destination, WhatIsNoPortIsRefused) {
  const auto refuses = [](const std::string& text, const std::string& port) {
    expect_error(text, "--collector " + text + ": '" + port + "' is no port (1 to 65535)");
  };
  refuses("host:", "");
  refuses("host:0", "0");
  refuses("host:65536", "65536");
  refuses("host:-1", "-1");
  refuses("host:+1", "+1");
  refuses("host:ipfix", "ipfix");
  refuses("host:80 ", "80 ");
  refuses("[::1]:", "");
  refuses("[::1]:99999999999", "99999999999");
}

TEST(Destination, BracketsMustBeWellFormed) {
  expect_error("[::1", "--collector [::1: the bracket is not closed");
  expect_error("[::1]4739", "--collector [::1]4739: write [ADDRESS]:PORT");
}

TEST(Destination, AnIpv6AddressWithoutBracketsIsRefused) {
  for (const std::string text : {"::1", "2001:db8::1:4739", "udp://::1"}) {
    expect_error(
        text, "--collector " + text + ": write an IPv6 address in brackets, as [2001:db8::1]:4739");
  }
}

TEST(Destination, ABarePathIsRefusedWithTheWayToWriteIt) {
  expect_error("/tmp/flows.csv",
               "--collector /tmp/flows.csv: is no HOST:PORT; write csv:/tmp/flows.csv for a file");
}

TEST(Destination, OtherTransportsAreRefused) {
  for (const std::string text : {"tcp://host:4739", "tls://host", "http://host/"}) {
    expect_error(text, "--collector " + text + ": this version sends IPFIX over udp:// only");
  }
}

}  // namespace
}  // namespace clerk
