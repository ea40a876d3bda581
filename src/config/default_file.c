/* SPDX-License-Identifier: MIT */
/*
 * The file a new installation starts with: the seed's four platforms, in its order, explained in
 * English and Chinese. Without any variable set it is complete and synchronises: platforms without
 * a server key wait for users' own keys, and one whose address is not known
 * yet waits for that.
 */
#include "config/file.h"

/* One literal per part: ISO C promises only 4095 bytes for one. */
static const char OPTIONS[] =
    "# llmgr: which models there are, and who pays for them.\n"
    "# llmgr：有哪些模型，由谁付费。\n"
    "#\n"
    "# Every option can also be set in the environment (LLMGR_MODE, LLMGR_DB, ...), which wins\n"
    "# over this file; the manual page llmgr(1) lists them all.\n"
    "# 每个选项也可用环境变量设置（优先于本文件）；手册 llmgr(1) 列出全部选项。\n"
    "\n"
    "# single: everybody is the system user; fixed: users see the platforms below and may store\n"
    "# keys of their own for them; custom: users may also add platforms of their own.\n"
    "# single：全局单用户；fixed：用户只能使用下列平台，可存自己的 "
    "Key；custom：用户还可添加私有平台。\n"
    "mode: custom                  # single | fixed | custom\n"
    "\n"
    "# Users without a key of their own use the server's keys below, at your expense.\n"
    "# Set it to false if you do not want to pay for them.\n"
    "# 用户没有自己的 Key 时使用服务器的 Key（由您付费）；不想免费提供请改为 false。\n"
    "auto_key: true\n"
    "\n"
    "# sqlite:PATH, or postgres://user@host/name   (LLMGR_DB, --db)\n"
    "database: sqlite:llmgr.db\n"
    "\n"
    "# Private platforms may only be at public https addresses. To allow more:\n"
    "# 私有平台默认只能是公网 https 地址；如需放宽：\n"
    "# allow_cidr: [192.168.0.0/16]\n"
    "# allow_http: true\n";

static const char PLATFORMS_HEAD[] =
    "\n"
    "# The system platforms, in the order people see them. {NAME} is taken from the environment "
    "or\n"
    "# from a .env file beside this one; without it the platform has no server key. After a "
    "change\n"
    "# run 'llmgr sync': renamed platforms and models keep their ids, users' keys and selections.\n"
    "# 系统平台，按显示顺序排列。{NAME} 取自环境变量或 .env 文件，缺失即没有服务器 Key。\n"
    "# 修改后运行 'llmgr sync'：改名不会丢失用户的 Key 和选择。\n"
    "#\n"
    "#   display name: model name          显示名: 模型名\n"
    "#   display name: {model_name: ..., extra_body: {...}}    extra_body goes into each request\n"
    "#   display name: {model_name: ..., kind: embedding}      what it is for, if it does not "
    "chat\n"
    "#                                                         不用于对话时说明用途，如 "
    "rerank、image\n"
    "#   display name: {model_name: ..., price: {input: 0.27, output: 1.10, currency: USD}}\n"
    "#                     what a million tokens cost / 每百万 token 的价格\n"
    "#   display name: {model_name: ..., context: 200000, max_output: 64000}    tokens that fit "
    "in, "
    "and\n"
    "#                                     of one answer / 上下文长度与单次回答的最大 token 数\n"
    "#\n"
    "# A platform may also say / 平台还可以写：\n"
    "#   protocol: anthropic             in which field it looks for its key / 密钥放在哪个请求头\n"
    "#   headers: [X-Title]              fields of the caller's that it gets / "
    "转发调用方的哪些请求头\n"
    "#   headers: {User-Agent: true, X-Org: \"{ORG}\"}    or with values of their own / "
    "或带上固定值\n"
    "#   api_keys: [\"{A}\", {key: \"{B}\", weight: 2, account: org-b}]    instead of api_key / "
    "多个密钥，取代 api_key\n"
    "#   native_paths: [GET /voices]     more paths open with your key / 用您的密钥还开放哪些路径\n"
    "platforms:\n";

static const char PLATFORMS[] =
    "  魔搭ModelScope:\n"
    "    base_url: https://api-inference.modelscope.cn/v1\n"
    "    api_key: \"{MODELSCOPE_API_KEY}\"\n"
    "    models:\n"
    "      通义千问3: Qwen/Qwen3-235B-A22B-Instruct-2507\n"
    "      智谱 GLM 4.6: {model_name: ZhipuAI/GLM-4.6, extra_body: {thinking: {type: disabled}}}\n"
    "\n"
    "  阿里云百炼:\n"
    "    base_url: https://dashscope.aliyuncs.com/compatible-mode/v1\n"
    "    api_key: \"{ALIYUN_API_KEY}\"\n"
    "    models:\n"
    "      通义flash: qwen-flash\n"
    "      通义Plus: qwen-plus-latest\n"
    "\n"
    "  OpenRouter:\n"
    "    base_url: https://openrouter.ai/api/v1\n"
    "    api_key: \"{OPENROUTER_API_KEY}\"\n"
    "    models:\n"
    "      DeepSeek R1-0528: deepseek/deepseek-r1-0528:free\n"
    "\n"
    "  # A proxy of your own that speaks the OpenAI protocol for Gemini. It has no public "
    "address,\n"
    "  # so both variables are needed; without GEMINIX_BASE_URL this platform has no address.\n"
    "  # 自建的 Gemini 代理：需同时设置两个变量；没有 GEMINIX_BASE_URL "
    "时此平台没有地址，无法使用。\n"
    "  Gemini代理:\n"
    "    base_url: \"{GEMINIX_BASE_URL}\"\n"
    "    api_key: \"{GEMINIX_API_KEY}\"\n"
    "    models:\n"
    "      哈基米flash: {model_name: gemini-2.5-flash, extra_body: {thinkingBudget: 0}}\n";

static const char ALIASES[] =
    "\n"
    "# Names that clients insist on, and the slot or model each stands for. They are asked when\n"
    "# nothing above bears the name; users can have their own (llmgr alias set).\n"
    "# 客户端固定使用的名字，各代表一个用途或模型；只有上面没有同名的模型时才使用。\n"
    "# aliases:\n"
    "#   claude-*: auto\n"
    "\n"
    "# Names for several models, of which those serve that can; users can have their own too\n"
    "# (llmgr route add). What a target names, platform/model, need not be there yet.\n"
    "# 一个名称对应多个模型，由其中可用的提供服务；用户也可以创建自己的（llmgr route add）。\n"
    "# routes:\n"
    "#   smart:\n"
    "#     display_name: 智能\n"
    "#     pick: order               # order | weight | fastest\n"
    "#     targets: [阿里云百炼/通义Plus, {model: 魔搭ModelScope/通义千问3, weight: 2}]\n";

void lc_write_default(struct lb_buf *out)
{
    lb_buf_add_c(out, OPTIONS);
    lb_buf_add_c(out, PLATFORMS_HEAD);
    lb_buf_add_c(out, PLATFORMS);
    lb_buf_add_c(out, ALIASES);
}
