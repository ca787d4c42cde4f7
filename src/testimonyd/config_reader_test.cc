// How JSON is read: what is passed over, what is refused, and where it is said to stand.
#include "testimonyd/config_reader.h"

#include <gmock/gmock.h>

#include "testimonyd/config_test_support.h"

namespace clerk::config_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

TEST(ConfigReader, WarnsOfWhatIsReadOtherwiseThanItMaySeem) {
  expect_problems({
      {"[]", {"1:1: warning: the array is empty: nothing will be served"}},
      {" \n [ ]", {"2:2: warning: the array is empty: nothing will be served"}},
      {socket_with("") + "\n\n x", {"4:2: warning: what follows the array is ignored"}},
      {socket_with("") + "[]", {"2:3: warning: what follows the array is ignored"}},
      {socket_with("") + "\n", {}},
  });
  expect_problems_of_rest({
      {R"("Colour": "red")", {"2:1: warning: unknown key 'Colour' is ignored"}},
      {R"("Num-Blocks": 4)",
       {"2:1: warning: unknown key 'Num-Blocks' is ignored; did you mean NumBlocks?"}},
      {R"(  "filters" : 4)",
       {"2:3: warning: unknown key 'filters' is ignored; did you mean Filter?"}},
      {R"("\u001b[2J": 4)", {"2:1: warning: unknown key '\\x1b[2J' is ignored"}},
      {R"("": 4)", {"2:1: warning: unknown key '' is ignored"}},
      {"\"" + std::string(200, 'x') + "\": 4",
       {"2:1: warning: unknown key '" + std::string(120, 'x') + "'... is ignored"}},
      {R"("FanoutSize": 2, "fanoutsize": 3)",
       {"2:18: warning: FanoutSize stands in line 2 already; the last one counts"}},
      {R"("Interface": "f")",
       {"2:1: warning: Interface stands in line 1 already; the last one counts"}},
      {R"("User": null, "User": "capture")",
       {"2:15: warning: User stands in line 2 already; the last one counts"}},
      {R"("FanoutID": 65537)", {"2:13: warning: FanoutID has 16 bits; 65537 is taken for 1"}},
      {R"("FanoutID": 65536)",
       {"2:13: warning: FanoutID has 16 bits; 65536 is taken for 0, which is any that nobody "
        "uses"}},
      {R"("FanoutType": 6)",
       {"2:15: warning: FanoutType 6 lets a program choose the ring, and there is none: all "
        "packets go to index 0"}},
      {R"("FanoutType": 4103)",
       {"2:15: warning: FanoutType 7 lets a program choose the ring, and there is none: all "
        "packets go to index 0"}},
  });
  EXPECT_EQ(socket_of(R"("FanoutSize": 2, "fanoutsize": 3)").fanout_size, 3U);
  EXPECT_EQ(socket_of(R"("FanoutID": 65537)").fanout_id, 1U);
}

TEST(ConfigReader, PassesOverWhatIsBelowAnUnknownKeyAtAnyDepth) {
  EXPECT_THAT(problems_of(socket_with(R"("x": [{"FanoutSize": "a"}, [[1.5, 2], {}]], "User": 1)")),
              ElementsAre("2:1: warning: unknown key 'x' is ignored",
                          "2:53: error: User must be a string; this is an integer"));
  const size_t depth = 200'000;
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  EXPECT_THAT(problems_of(socket_with("\"x\": " + deep)),
              ElementsAre("2:1: warning: unknown key 'x' is ignored"));
}

TEST(ConfigReader, RefusesWhatIsNoArrayOfObjects) {
  const std::string array =
      "the configuration must be an array of objects, [{...}], one for each socket; this is ";
  const std::string element =
      "each element of the array must be an object, which describes a socket; this is ";
  expect_problems({
      {"{}", {"1:1: error: " + array + "an object"}},
      {"\n {\"SocketName\": 1}", {"2:2: error: " + array + "an object"}},
      {"null", {"1:1: error: " + array + "null"}},
      {" true", {"1:2: error: " + array + "true or false"}},
      {"12 ", {"1:1: error: " + array + "an integer"}},
      {"1.5", {"1:1: error: " + array + "a number with a fraction or an exponent"}},
      {"\"a\"", {"1:1: error: " + array + "a string"}},
      {"[1]", {"1:2: error: " + element + "an integer"}},
      {"[null, \"a\"\n, [{\"User\":1}], false]",
       {"1:2: error: " + element + "null", "1:8: error: " + element + "a string",
        "2:3: error: " + element + "an array", "2:17: error: " + element + "true or false"}},
  });
}

TEST(ConfigReader, RefusesWhatIsNoJson) {
  const std::string literal = "unexpected end of input; expected '[', '{', or a literal";
  expect_problems({
      {"", {"1:1: error: the configuration is empty; for no socket at all write []"}},
      {" \n", {"2:1: error: the configuration is empty; for no socket at all write []"}},
      {"[", {"1:2: error: this is no JSON: " + literal}},
      {"[{", {"1:3: error: this is no JSON: unexpected end of input; expected string literal"}},
      {"[\n 1 2]",
       {"2:2: error: each element of the array must be an object, which describes a socket; this "
        "is an integer",
        "2:4: error: this is no JSON: unexpected number literal; expected ',' or ']'"}},
      {socket_with("\"User\" \"x\""),
       {"2:8: error: this is no JSON: unexpected string literal; expected ':'"}},
      {socket_with("\"User\": \"x\"\n  \"Gr\\\"oup\": 1"),
       {"3:3: error: this is no JSON: unexpected string literal; expected ',' or '}'"}},
      {socket_with("\"Filter\": x"), {"2:11: error: this is no JSON: invalid literal"}},
      {socket_with("\"Promiscuous\": tru"), {"2:19: error: this is no JSON: invalid literal"}},
      {socket_with("\"Promiscuous\": true false"),
       {"2:21: error: this is no JSON: unexpected false literal; expected ',' or '}'"}},
      {socket_with("\"User\": \"x\","),
       {"2:13: error: this is no JSON: unexpected '}'; expected string literal (remove the comma "
        "before it)"}},
      {socket_with("") + "]", {"2:3: warning: what follows the array is ignored"}},
      {"[\n,]", {"2:1: error: this is no JSON: unexpected ','; expected '[', '{', or a literal"}},
      {"[{},\n]",
       {R"(1:2: error: SocketName is missing; write for example "SocketName": "/run/testimony.sock")",
        "1:2: error: Interface is missing; write for example \"Interface\": \"eth0\"",
        "1:2: error: BlockSize is missing; write for example \"BlockSize\": 1048576",
        "1:2: error: NumBlocks is missing; write for example \"NumBlocks\": 16",
        R"(2:1: error: this is no JSON: unexpected ']'; expected '[', '{', or a literal (remove the comma before it))"}},
      {std::string("[{\0}]", 5),
       {"1:3: error: this is no JSON: unexpected end of input; expected string literal (for there "
        "is "
        "an octet of zero)"}},
      {"# rings\n[]", {"1:1: error: this is no JSON: invalid literal (JSON has no comments)"}},
      {"[\n // rings\n]", {"2:2: error: this is no JSON: invalid literal (JSON has no comments)"}},
      {socket_with("'User': 1"),
       {"2:1: error: this is no JSON: invalid literal (strings stand between double quotes)"}},
      {socket_with("\"User\": \"a\nb\""),
       {"2:11: error: this is no JSON: invalid string: control character U+000A (LF) must be "
        "escaped to \\u000A or \\n"}},
      {socket_with("\"User\": \"a\xff\""),
       {"2:11: error: this is no JSON: invalid string: ill-formed UTF-8 byte"}},
      {socket_with("\"User\": \"\\ud800\""),
       {"2:16: error: this is no JSON: invalid string: surrogate U+D800..U+DBFF must be followed "
        "by "
        "U+DC00..U+DFFF"}},
      {socket_with("\"User\": \xc3\xa9"), {"2:9: error: this is no JSON: invalid literal"}},
      {socket_with("\"FanoutSize\": 01"),
       {"2:15: error: this is no JSON: unexpected number literal; expected ',' or '}'"}},
      {socket_with("\"FanoutSize\": +1"), {"2:15: error: this is no JSON: invalid literal"}},
      {socket_with("\"FanoutSize\": 1e999}"),
       {"2:15: error: this is no JSON: a number is out of range"}},
  });
}

// What stands before the place that cannot be read is judged, but an object that is not complete
// may still get what it lacks.
TEST(ConfigReader, TellsWhatCameBeforeASyntaxError) {
  EXPECT_THAT(problems_of(socket_with("\"FanoutSize\": -1")
                              .append(",\n{\"User\": 5, \"Group\" }]")
                              .replace(socket_with("\"FanoutSize\": -1").size() - 1, 1, "")),
              ElementsAre(StartsWith("2:15: error: FanoutSize must be between"),
                          "3:10: error: User must be a string; this is an integer",
                          "3:21: error: this is no JSON: unexpected '}'; expected ':'"));
}

TEST(ConfigReader, RefusesAValueOfAnotherType) {
  expect_problems_of_rest({
      {R"("User": 7)", {"2:9: error: User must be a string; this is an integer"}},
      {R"("User":true)", {"2:8: error: User must be a string; this is true or false"}},
      {R"("User" : [ "a" ] )", {"2:10: error: User must be a string; this is an array"}},
      {R"("User": {"User": "a"})", {"2:9: error: User must be a string; this is an object"}},
      {R"("FanoutSize": "2")", {"2:15: error: FanoutSize must be an integer; this is a string"}},
      {R"("FanoutSize": 1.5)",
       {"2:15: error: FanoutSize must be an integer; this is a number with a fraction or an "
        "exponent"}},
      {R"("FanoutSize":1e3 )",
       {"2:14: error: FanoutSize must be an integer; this is a number with a fraction or an "
        "exponent"}},
      {R"("Promiscuous": 1)",
       {"2:16: error: Promiscuous must be true or false; this is an integer"}},
      {R"("Promiscuous": "true")",
       {"2:16: error: Promiscuous must be true or false; this is a string"}},
      // Behind a number, whose end the parser sees one octet late.
      {R"("FanoutSize":1,"User":2,"Group":3)",
       {"2:23: error: User must be a string; this is an integer",
        "2:33: error: Group must be a string; this is an integer"}},
  });
  EXPECT_THAT(problems_of(R"([{"SocketName":1,"Interface":2,"BlockSize":"3","NumBlocks":[]}])"),
              ElementsAre("1:16: error: SocketName must be a string; this is an integer",
                          "1:30: error: Interface must be a string; this is an integer",
                          "1:44: error: BlockSize must be an integer; this is a string",
                          "1:60: error: NumBlocks must be an integer; this is an array"));
}

}  // namespace
}  // namespace clerk::config_tests
