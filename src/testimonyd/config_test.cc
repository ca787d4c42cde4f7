#include "testimonyd/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/read_file.h"
#include "testimonyd/config_keys.h"
#include "testimonyd/config_test_support.h"

namespace clerk::config_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(Config, HasTheDefaultsOfTheOriginalAndOfTheDesign) {
  EXPECT_EQ(socket_of(""), (SocketConfig{.socket_name = "/s",
                                         .interface = "e",
                                         .block_octets = 4096,
                                         .blocks = 8,
                                         .block_timeout_ms = 0,
                                         .fanout_type = 0,
                                         .fanout_size = 1,
                                         .fanout_id = 0,
                                         .user = "",
                                         .group = "",
                                         .filter = "",
                                         .promiscuous = true,
                                         .reserve_blocks = 2,
                                         .max_hold_ms = 0,
                                         .clients_max = 64}));
}

TEST(Config, TakesEveryKey) {
  const Config config = config_of(R"([
    {
      "SocketName": "/run/testimony/eth0.sock",
      "Interface": "eth0",
      "BlockSize": 1048576,
      "NumBlocks": 16,
      "BlockTimeoutMillis": 1000,
      "FanoutType": 36865,
      "FanoutSize": 4,
      "FanoutID": 7,
      "User": "capture",
      "Group": "1000",
      "Filter": "tcp port 80",
      "Promiscuous": false,
      "ReserveBlocks": 14,
      "MaxHoldMillis": 2500,
      "MaxClients": 3
    }
  ])");
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_THAT(config.sockets, ElementsAre(SocketConfig{.socket_name = "/run/testimony/eth0.sock",
                                                       .interface = "eth0",
                                                       .block_octets = 1048576,
                                                       .blocks = 16,
                                                       .block_timeout_ms = 1000,
                                                       .fanout_type = 0x9001,
                                                       .fanout_size = 4,
                                                       .fanout_id = 7,
                                                       .user = "capture",
                                                       .group = "1000",
                                                       .filter = "tcp port 80",
                                                       .promiscuous = false,
                                                       .reserve_blocks = 14,
                                                       .max_hold_ms = 2500,
                                                       .clients_max = 3}));
  EXPECT_EQ(config.sockets[0].octets(), uint64_t{64} << 20);
  ASSERT_EQ(config.places.size(), 1U);
  EXPECT_EQ(config.places[0].socket_name, (ConfigPlace{3, 21}));
  EXPECT_EQ(config.places[0].interface, (ConfigPlace{4, 20}));
  EXPECT_EQ(config.places[0].blocks, (ConfigPlace{6, 20}));
  EXPECT_EQ(config.places[0].filter, (ConfigPlace{13, 17}));
}

// The shape that configurations of the original daemon have.
TEST(Config, TakesAFileOfTheOriginalDaemon) {
  const Config config = config_of(R"([
  {
      "SocketName": "/tmp/testimony.sock"
    , "Interface": "em1"
    , "BlockSize": 1048576
    , "NumBlocks": 16
    , "BlockTimeoutMillis": 1000
    , "FanoutType": 1
    , "FanoutSize": 2
    , "FanoutID": 101
    , "User": "capture"
    , "Filter": "ip"
  }
]
)");
  EXPECT_THAT(config.warnings, IsEmpty());
  ASSERT_EQ(config.sockets.size(), 1U);
  EXPECT_EQ(config.sockets[0].socket_name, "/tmp/testimony.sock");
  EXPECT_EQ(config.sockets[0].fanout_size, 2U);
  EXPECT_EQ(config.sockets[0].reserve_blocks, 4U);
}

TEST(Config, TakesKeysInAnyCase) {
  EXPECT_EQ(socket_of(R"("FANOUTSIZE": 3, "maxclients": 5)").fanout_size, 3U);
  EXPECT_EQ(socket_of(R"("FANOUTSIZE": 3, "maxclients": 5)").clients_max, 5U);
}

TEST(Config, TakesNullForLeavingOut) {
  const auto nulls =
      R"("FanoutSize": null, "User": null, "Promiscuous": null, "ReserveBlocks": null)";
  EXPECT_EQ(socket_of(nulls), socket_of(""));
  // As in Go, where null leaves what stands there.
  EXPECT_EQ(socket_of(R"("FanoutSize": 3, "FanoutSize": null)").fanout_size, 3U);
}

TEST(Config, TakesZeroForOneRing) { EXPECT_EQ(socket_of(R"("FanoutSize": 0)").fanout_size, 1U); }

TEST(Config, TakesEscapesAndOtherScripts) {
  EXPECT_EQ(socket_of(R"("Filter": "tcp\u0020\"x\"\\ \u00e9é")").filter, "tcp \"x\"\\ éé");
}

TEST(Config, TakesAByteOrderMark) {
  EXPECT_THAT(problems_of("\xef\xbb\xbf[]"),
              ElementsAre("1:4: warning: the array is empty: nothing will be served"));
  EXPECT_THAT(problems_of("\xef\xbb\xbf[1]"),
              ElementsAre(StartsWith("1:5: error: each element of the array must be an object")));
}

TEST(Config, ReservesAQuarterOfTheBlocksButNeverTheLastTwo) {
  const std::vector<std::pair<int, uint32_t>> expected{{2, 0}, {3, 1},  {4, 1},        {5, 1},
                                                       {8, 2}, {16, 4}, {65536, 16384}};
  for (const auto& [blocks, reserve] : expected) {
    EXPECT_EQ(socket_of(fmt::format("\"NumBlocks\": {}", blocks)).reserve_blocks, reserve)
        << blocks;
  }
}

TEST(Config, RefusesWhatNoSocketNameIs) {
  const std::string fits = "/" + std::string(106, 'x');
  EXPECT_EQ(socket_of(fmt::format("\"SocketName\": \"{}\"", fits)).socket_name, fits);
  const auto problem_of = [](const std::string& name) {
    return problems_of(fmt::format(
        R"([{{"Interface":"e","BlockSize":4096,"NumBlocks":2,"SocketName":"{}"}}])", name));
  };
  EXPECT_THAT(problem_of(""), ElementsAre("1:63: error: SocketName is empty; write for example "
                                          "\"SocketName\": \"/run/testimony.sock\""));
  EXPECT_THAT(
      problem_of(fits + "x"),
      ElementsAre("1:63: error: SocketName has 108 octets, and the path of a socket no more "
                  "than 107 (unix(7))"));
  EXPECT_THAT(problem_of("/a\\u0000b"),
              ElementsAre("1:63: error: SocketName has an octet of zero (\\u0000), where its text "
                          "would end; remove it"));
  EXPECT_THAT(problem_of("@a"),
              ElementsAre("1:63: error: SocketName '@a' is not a path: an abstract socket has no "
                          "file that says who may connect; write for example "
                          "\"/run/testimony.sock\""));
  for (const std::string name : {"/run/", "/", ".", "..", "/run/.", "/run/.."}) {
    EXPECT_THAT(problem_of(name),
                ElementsAre(fmt::format("1:63: error: SocketName '{}' is a directory's name; add "
                                        "the name of a file in it",
                                        name)));
  }
  for (const std::string name : {"a", "a..b", "/run/...", "./x", "/run/.x"})
    EXPECT_THAT(problem_of(name), IsEmpty()) << name;
}

TEST(Config, RefusesWhatNoInterfaceIs) {
  expect_problems_of_rest({
      {R"("interface": "")",
       {"2:1: warning: Interface stands in line 1 already; the last one counts",
        "2:14: error: Interface is empty; write for example \"Interface\": \"eth0\""}},
      {R"("interface": "0123456789abcdef")",
       {"2:1: warning: Interface stands in line 1 already; the last one counts",
        "2:14: error: Interface has 16 octets, and no interface's name more than 15; see ip link"}},
  });
  EXPECT_EQ(socket_of(R"("Interface": "0123456789abcde")").interface, "0123456789abcde");
}

TEST(Config, RefusesSizesThatNoRingHas) {
  const auto problem_of = [](const std::string& size, const std::string& blocks) {
    return problems_of(
        fmt::format("[{{\"SocketName\":\"/s\",\"Interface\":\"e\",\n\"BlockSize\":{},"
                    "\n\"NumBlocks\":{}}}]",
                    size, blocks));
  };
  const std::string size_range =
      "2:13: error: BlockSize must be between 1 and 1073741824: packets are shared by the block";
  const std::string blocks_range =
      "3:13: error: NumBlocks must be between 2 and 65536: a ring of one block cannot be shared "
      "without loss, and the kernel counts blocks in 16 bits";
  for (const std::string size : {"0", "-4096", "-0", "1073745920", "9223372036854775808",
                                 "18446744073709551616", "-18446744073709551616"})
    EXPECT_THAT(problem_of(size, "2"), ElementsAre(size_range)) << size;
  for (const std::string blocks : {"0", "1", "-2", "65537", "4294967298"})
    EXPECT_THAT(problem_of("4096", blocks), ElementsAre(blocks_range)) << blocks;
  EXPECT_THAT(problem_of("4095", "2"),
              ElementsAre("2:13: error: BlockSize must be a multiple of the "
                          "page size, 4096; the next one is 4096"));
  EXPECT_THAT(problem_of("1048577", "2"),
              ElementsAre("2:13: error: BlockSize must be a multiple of the page size, 4096; the "
                          "next one is 1052672"));
  EXPECT_THAT(problem_of("1073741824", "1024"), IsEmpty());
  EXPECT_THAT(problem_of("1073741824", "1025"),
              ElementsAre("3:13: error: NumBlocks * BlockSize * FanoutSize is 1025 GiB of memory, "
                          "and must be no more than 1024; choose fewer or smaller blocks"));
}

TEST(Config, RefusesNumbersOutOfTheirRanges) {
  const std::string why_reserve = "two blocks at least must be left for clients to hold";
  expect_problems_of_rest({
      {R"("BlockTimeoutMillis": 65535)", {}},
      {R"("BlockTimeoutMillis": -1)",
       {"2:23: error: BlockTimeoutMillis must be between 0 and 65535: the kernel keeps 16 bits of "
        "it"}},
      {R"("BlockTimeoutMillis": 65536)",
       {"2:23: error: BlockTimeoutMillis must be between 0 and 65535: the kernel keeps 16 bits of "
        "it"}},
      {R"("FanoutSize": 256)", {}},
      {R"("FanoutSize": -1)",
       {"2:15: error: FanoutSize must be between 0 and 256: the kernel lets no more sockets share "
        "an interface's packets, and each has a ring of its own"}},
      {R"("FanoutSize": 257)",
       {"2:15: error: FanoutSize must be between 0 and 256: the kernel lets no more sockets share "
        "an interface's packets, and each has a ring of its own"}},
      {R"("FanoutID": -1)",
       {"2:13: error: FanoutID must be between 0 and 2147483647: its low 16 bits name a group of "
        "the kernel's"}},
      {R"("FanoutID": 65535)", {}},
      {R"("ReserveBlocks": 6)", {}},
      {R"("ReserveBlocks": 0)", {}},
      {R"("ReserveBlocks": 7)",
       {"2:18: error: ReserveBlocks must be no more than 6, two less than NumBlocks: clients need "
        "a block to hold and one that comes meanwhile"}},
      {R"("ReserveBlocks": -1)",
       {"2:18: error: ReserveBlocks must be between 0 and 65534: " + why_reserve}},
      {R"("MaxHoldMillis": 86400000)", {}},
      {R"("MaxHoldMillis": 86400001)",
       {"2:18: error: MaxHoldMillis must be between 0 and 86400000: that is a day; 0 sets no "
        "limit"}},
      {R"("MaxClients": 1)", {}},
      {R"("MaxClients": 0)",
       {"2:15: error: MaxClients must be between 1 and 4096: each takes a file descriptor"}},
      {R"("MaxClients": 4097)",
       {"2:15: error: MaxClients must be between 1 and 4096: each takes a file descriptor"}},
  });
}

TEST(Config, RefusesFanoutTypesThatTheKernelDoesNotHave) {
  const std::string unknown =
      "2:15: error: FanoutType is none that the kernel has; choose 0 (hash), 1 (lb), 2 (cpu), 3 "
      "(rollover), 4 (rnd) or 5 (qm)";
  const std::string flags =
      "2:15: error: FanoutType has flags that are not for it; 4096 (PACKET_FANOUT_FLAG_ROLLOVER) "
      "and 32768 (PACKET_FANOUT_FLAG_DEFRAG) may be added to its number";
  expect_problems_of_rest({
      {R"("FanoutType": 8)", {unknown}},
      {R"("FanoutType": 255)", {unknown}},
      {R"("FanoutType": 4104)", {unknown}},
      {R"("FanoutType": 8192)", {flags}},
      {R"("FanoutType": 256)", {flags}},
      {R"("FanoutType": 16389)", {flags}},
      {R"("FanoutType": 36864)", {}},
      {R"("FanoutType": 32771)", {}},
      {R"("FanoutType": 4099)",
       {"2:15: error: FanoutType 3 rolls over by itself, and the kernel does not take the flag "
        "4096 with it; write 3"}},
      {R"("FanoutType": -1)",
       {"2:15: error: FanoutType must be between 0 and 65535: it is a number of packet(7), with "
        "its "
        "flags"}},
  });
  for (int type = 0; type <= 5; ++type)
    EXPECT_EQ(socket_of(fmt::format("\"FanoutType\": {}", type)).fanout_type, type);
}

TEST(Config, RefusesAccountsThatAreNotThere) {
  expect_problems_of_rest({
      {R"("User": "nemo")", {"2:9: error: User 'nemo': no such account"}},
      {R"("Group": "nemo")", {"2:10: error: Group 'nemo': no such account"}},
      {R"("User": "", "Group": "")", {}},
      {R"("User": "a\u0000")",
       {"2:9: error: User has an octet of zero (\\u0000), where its text would end; remove it"}},
  });
}

TEST(Config, RefusesFiltersThatDoNotCompile) {
  expect_problems_of_rest({
      {R"("Filter": "tcp and")", {"2:11: error: Filter: syntax error"}},
      {R"("Filter": "")", {}},
  });
}

TEST(Config, AsksTheMachineForAccountsAndFilters) {
  const auto problem_of = [](std::string_view rest) {
    const auto config = parse_config(socket_with(rest));
    return config ? "" : config.error().back().message;
  };
  EXPECT_EQ(problem_of(R"("User": "root", "Group": "root", "Filter": "tcp port 80")"), "");
  EXPECT_EQ(problem_of(R"("User": "54321", "Group": "54321")"), "");
  EXPECT_EQ(problem_of(R"("User": "no_such_account")"),
            "User 'no_such_account': no such account; name one that `getent passwd` lists, or a "
            "numeric user id");
  EXPECT_EQ(problem_of(R"("Group": "no_such_group")"),
            "Group 'no_such_group': no such group; name one that `getent group` lists, or a "
            "numeric group id");
  EXPECT_THAT(problem_of(R"("Filter": "tcp and")"), StartsWith("Filter: "));
  EXPECT_THAT(problem_of(R"("Filter": "tcp and")"), HasSubstr("syntax error"));
  EXPECT_THAT(problem_of(R"("BlockSize": 4097)"), HasSubstr("page size"));
}

TEST(Config, RefusesASocketNameThatIsUsedTwice) {
  const auto socket = [](std::string_view name) {
    return fmt::format(
        "{{\"SocketName\":\"{}\",\"Interface\":\"e\",\"BlockSize\":4096,\"NumBlocks\":8}}", name);
  };
  for (const std::string other : {"/a/s", "/a//s", "//a/s", "/a/./s", "/a/b/../s"}) {
    EXPECT_THAT(
        problems_of(fmt::format("[\n{},\n{},\n{}]", socket("/a/s"), socket("/a/t"), socket(other))),
        ElementsAre(fmt::format("4:15: error: SocketName '{}' is that of line 2; each "
                                "socket needs a path of its own",
                                other)));
  }
  EXPECT_THAT(problems_of(fmt::format("[{},{}]", socket("/a"), socket("/b"))), IsEmpty());
}

TEST(Config, RefusesAFanoutIdThatIsUsedTwice) {
  const auto socket = [](std::string_view name, int id) {
    return fmt::format(
        "{{\"SocketName\":\"{}\",\"Interface\":\"e\",\"BlockSize\":4096,\"NumBlocks\":8,"
        "\"FanoutID\":{}}}",
        name, id);
  };
  const std::string twice =
      "2:78: error: FanoutID 7 is that of line 1, and the sockets would take each other's packets; "
      "write another, or 0 for one that nobody uses";
  EXPECT_THAT(problems_of(fmt::format("[{},\n{}]", socket("/a", 7), socket("/b", 7))),
              ElementsAre(twice));
  EXPECT_THAT(problems_of(fmt::format("[{},\n{}]", socket("/a", 7), socket("/b", 65536 + 7))),
              ElementsAre("2:78: warning: FanoutID has 16 bits; 65543 is taken for 7", twice));
  EXPECT_THAT(problems_of(fmt::format("[{},\n{}]", socket("/a", 0), socket("/b", 0))), IsEmpty());
  EXPECT_THAT(problems_of(fmt::format("[{},\n{}]", socket("/a", 7), socket("/b", 8))), IsEmpty());
}

TEST(Config, TellsAllProblemsInTheOrderOfTheirPlaces) {
  EXPECT_THAT(
      problems_of(R"([
  {"Interface": "", "BlockSize": 1, "Users": 2,
   "FanoutSize": "4", "NumBlocks": 1},
  7,
  {"SocketName": "/s", "Interface": "e", "BlockSize": 4096, "NumBlocks": 4, "User": "nemo"}
] rest)"),
      ElementsAre(StartsWith("2:3: error: SocketName is missing"),
                  StartsWith("2:17: error: Interface is empty"),
                  StartsWith("2:34: error: BlockSize must be a multiple"),
                  StartsWith("2:37: warning: unknown key 'Users'"),
                  StartsWith("3:18: error: FanoutSize must be an integer"),
                  StartsWith("3:36: error: NumBlocks must be between"),
                  StartsWith("4:3: error: each element"), StartsWith("5:85: error: User 'nemo'"),
                  StartsWith("6:3: warning: what follows")));
}

TEST(Config, ComparesSocketsByAllThatTheySay) {
  const SocketConfig same = socket_of("");
  EXPECT_EQ(socket_of(R"("FanoutSize": 1, "User": "")"), same);
  for (const char* other : {R"("FanoutSize": 2)", R"("User": "capture")", R"("Filter": "ip")",
                            R"("Promiscuous": false)", R"("ReserveBlocks": 3)"})
    EXPECT_NE(socket_of(other), same) << other;
}

TEST(Config, DescribesAProblemAsCompilersDo) {
  EXPECT_EQ(describe("/etc/testimony.conf", {.line = 3, .column = 14, .message = "text"}),
            "/etc/testimony.conf:3:14: error: text");
  EXPECT_EQ(describe("-", {1, 2, "text", ConfigSeverity::Warning}), "-:1:2: warning: text");
}

// The documents of the source tree that this file is part of.
std::string document(const std::string& name) {
  const auto docs = std::filesystem::path(__FILE__).parent_path() / "../../docs";
  auto content = read_file((docs / name).string(), kConfigOctetsMax);
  EXPECT_TRUE(content) << content.error().message;
  return content.value_or("");
}

TEST(Config, TakesTheExampleOfTheDocuments) {
  const auto config = parse_config(document("testimony.conf"));
  ASSERT_TRUE(config) << describe("testimony.conf", config.error().front());
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_THAT(config->sockets, Not(IsEmpty()));
}

TEST(Config, IsDocumentedKeyByKey) {
  const std::string reference = document("testimonyd.md");
  for (const ConfigKeyDescription& key : kConfigKeys)
    EXPECT_THAT(reference, HasSubstr(fmt::format("`{}`", key.name)));
}

}  // namespace
}  // namespace clerk::config_tests
