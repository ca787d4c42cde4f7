#include "xdp_program.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <system_error>

#include "bpf_call.h"

namespace clerk::bench {
namespace {

constexpr std::size_t kIpOffset = 14;
constexpr std::size_t kIpOctets = 20;
constexpr std::int16_t kChecksumOffset = kIpOffset + 10;
constexpr std::int16_t kSourceOffset = kIpOffset + 12;

// What the registers hold. A call leaves its result in the first and spoils those up to the sixth.
constexpr std::uint8_t kResult = 0;
constexpr std::uint8_t kContext = 1;
constexpr std::uint8_t kData = 2;
constexpr std::uint8_t kDataEnd = 3;
constexpr std::uint8_t kScratch = 4;
constexpr std::uint8_t kSum = 5;
constexpr std::uint8_t kKeptContext = 6;

bpf_insn instruction(int code, std::uint8_t target, std::uint8_t source, std::int16_t offset,
                     std::int32_t constant) {
  bpf_insn result{};
  result.code = static_cast<std::uint8_t>(code);
  result.dst_reg = target & 0xfU;
  result.src_reg = source & 0xfU;
  result.off = offset;
  result.imm = constant;
  return result;
}

bpf_insn with_constant(int operation, std::uint8_t target, std::int32_t constant) {
  return instruction(BPF_ALU64 | operation | BPF_K, target, 0, 0, constant);
}

bpf_insn with_register(int operation, std::uint8_t target, std::uint8_t source) {
  return instruction(BPF_ALU64 | operation | BPF_X, target, source, 0, 0);
}

bpf_insn load_u32(std::uint8_t target, std::uint8_t source, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, target, source, static_cast<std::int16_t>(offset),
                     0);
}

bpf_insn store(int size, std::uint8_t target, std::int16_t offset, std::uint8_t source) {
  return instruction(BPF_STX | BPF_MEM | size, target, source, offset, 0);
}

bpf_insn to_big_endian_u32(std::uint8_t target) {
  return instruction(BPF_ALU | BPF_END | BPF_TO_BE, target, 0, 0, 32);
}

bpf_insn call(int helper) { return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

// The verifier wants every access to the packet behind such a comparison.
bpf_insn skip_if_greater(std::uint8_t left, std::uint8_t right, std::int16_t instructions) {
  return instruction(BPF_JMP | BPF_JGT | BPF_X, left, right, instructions, 0);
}

// The header's 16-bit words as they lie in memory, but for checksum and source address: the
// internet checksum is the same in either byte order (RFC 1071, section 2).
std::int32_t sum_of_the_rest(std::span<const std::uint8_t> frame) {
  std::int32_t sum = 0;
  for (std::size_t at = kIpOffset; at < kIpOffset + kIpOctets; at += 2) {
    if (at >= kChecksumOffset && at < kSourceOffset + 4) continue;
    std::uint16_t word = 0;
    std::memcpy(&word, frame.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

// 10.0.0.0 in host order.
constexpr std::int32_t kSourceNet = 10 << 24;

}  // namespace

std::vector<bpf_insn> source_drawing_program(std::span<const std::uint8_t> frame,
                                             std::uint32_t flows) {
  std::vector<bpf_insn> program = {
      with_register(BPF_MOV, kKeptContext, kContext),
      call(BPF_FUNC_get_prandom_u32),
      with_constant(BPF_AND, kResult, static_cast<std::int32_t>(flows - 1)),
      with_constant(BPF_OR, kResult, kSourceNet),
      to_big_endian_u32(kResult),
      load_u32(kData, kKeptContext, offsetof(xdp_md, data)),
      load_u32(kDataEnd, kKeptContext, offsetof(xdp_md, data_end)),
      with_register(BPF_MOV, kScratch, kData),
      with_constant(BPF_ADD, kScratch, kIpOffset + kIpOctets),
      skip_if_greater(kScratch, kDataEnd, 16),
      store(BPF_W, kData, kSourceOffset, kResult),
      with_register(BPF_MOV, kSum, kResult),
      with_constant(BPF_RSH, kSum, 16),
      with_constant(BPF_AND, kResult, 0xffff),
      with_register(BPF_ADD, kSum, kResult),
      with_constant(BPF_ADD, kSum, sum_of_the_rest(frame)),
  };
  for (int carry = 0; carry < 2; ++carry) {
    program.push_back(with_register(BPF_MOV, kScratch, kSum));
    program.push_back(with_constant(BPF_RSH, kScratch, 16));
    program.push_back(with_constant(BPF_AND, kSum, 0xffff));
    program.push_back(with_register(BPF_ADD, kSum, kScratch));
  }
  program.push_back(with_constant(BPF_XOR, kSum, 0xffff));
  program.push_back(store(BPF_H, kData, kChecksumOffset, kSum));
  program.push_back(with_constant(BPF_MOV, kResult, XDP_PASS));
  program.push_back(leave());
  return program;
}

int load_xdp_program(std::span<const bpf_insn> instructions) {
  std::string words(1 << 16, '\0');
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = reinterpret_cast<std::uintptr_t>(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  attributes.license = reinterpret_cast<std::uintptr_t>("GPL");
  attributes.log_buf = reinterpret_cast<std::uintptr_t>(words.data());
  attributes.log_size = static_cast<std::uint32_t>(words.size());
  attributes.log_level = 1;
  const int program = bpf_call(BPF_PROG_LOAD, attributes);
  if (program >= 0) return program;
  const int error = errno;
  words.resize(words.find('\0'));
  throw std::system_error(error, std::generic_category(), "BPF_PROG_LOAD: " + words);
}

}  // namespace clerk::bench
