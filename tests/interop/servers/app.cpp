// SPDX-License-Identifier: MIT
// The canned answers by cpp-httplib, which llama.cpp's server is built on.
// usage: app PLAIN TLS12 TLS13 CERT KEY SECOND EXPIRED
#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

static const std::string CHAT =
    R"({"choices":[{"index":0,"message":{"content":"Grüße"},"finish_reason":"stop"}]})";
static const std::string MODELS = R"({"object":"list","data":[{"id":"canned"}]})";
static const char JSON[] = "application/json";
static const char BYTES[] = "application/octet-stream";

static std::string make_large()
{
    std::string bytes(1 << 20, '\0');
    for (size_t i = 0; i < bytes.size(); i++)
        bytes[i] = static_cast<char>(i * 7 % 251);
    return bytes;
}

static const std::string LARGE = make_large();

static std::string sha256(const std::string &bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    std::string hex;
    EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
    for (unsigned i = 0; i < size; i++) {
        char pair[3];
        std::snprintf(pair, sizeof pair, "%02x", digest[i]);
        hex += pair;
    }
    return hex;
}

// The first half, and then the provider fails: the connection is closed.
static bool half(size_t offset, size_t, httplib::DataSink &sink)
{
    return offset == 0 && sink.write(LARGE.data(), 50000);
}

static bool half_of_chunks(size_t offset, httplib::DataSink &sink)
{
    return half(offset, 0, sink);
}

static bool in_chunks(size_t offset, httplib::DataSink &sink)
{
    if (offset == LARGE.size())
        sink.done();
    else
        sink.write(LARGE.data() + offset, std::min<size_t>(5000, LARGE.size() - offset));
    return true;
}

static void get(const httplib::Request &req, httplib::Response &res)
{
    const std::string name = req.matches[1];
    if (name.rfind("status/", 0) == 0) {
        res.status = std::stoi(name.substr(7));
        if (res.status == 429)
            res.set_header("Retry-After", "7");
        res.set_content(R"({"error":{"message":"canned )" + name.substr(7) + "\"}}", JSON);
    } else if (name == "large") {
        res.set_content(LARGE, BYTES);
    } else if (name == "large-chunked") {
        res.set_chunked_content_provider(BYTES, in_chunks);
    } else if (name == "empty") {
        res.status = 204;
    } else if (name == "redirect") {
        res.set_redirect("/v1/models", 302);
    } else if (name == "cut") {
        res.set_content_provider(100000, BYTES, half);
    } else if (name == "cut-chunked") {
        res.set_chunked_content_provider(BYTES, half_of_chunks);
    } else if (name == "until-close") {
        res.set_header("Connection", "close");
        res.set_content_provider(JSON, [](size_t, httplib::DataSink &sink) {
            sink.write(CHAT.data(), CHAT.size());
            sink.done();
            return true;
        });
    } else {
        if (name == "close")
            res.set_header("Connection", "close");
        else if (name != "models")
            res.status = 404;
        res.set_content(MODELS, JSON);
    }
}

static void post(const httplib::Request &req, httplib::Response &res)
{
    const std::string name = req.matches[1];
    if (name == "chat") {
        res.set_content(CHAT, JSON);
    } else if (name == "stream") {
        auto sent = std::make_shared<int>(0);
        res.set_chunked_content_provider("text/event-stream",
                                         [sent](size_t, httplib::DataSink &sink) {
            const std::string event =
                *sent == 20 ? "[DONE]"
                            : R"({"choices":[{"index":0,"delta":{"content":")" +
                                  std::to_string(*sent) + R"( "}}]})";
            const std::string frame = "data: " + event + "\n\n";
            sink.write(frame.data(), frame.size());
            if ((*sent)++ == 20)
                sink.done();
            return true;
        });
    } else {
        res.set_content("{\"size\":" + std::to_string(req.body.size()) + ",\"sha256\":\"" +
                            sha256(req.body) + "\"}", JSON);
    }
}

static void serve(httplib::Server &server, int port)
{
    // A connection that is kept holds a thread.
    server.new_task_queue = [] { return new httplib::ThreadPool(64); };
    server.set_keep_alive_max_count(1000);
    server.set_keep_alive_timeout(2); // it also waits so long before it closes
    server.set_mount_point("/static", "./static");
    server.Get(R"(/v1/(.*))", get);
    server.Post(R"(/v1/(.*))", post);
    server.listen("::", port);
}

static bool identify(SSL_CTX *ctx, const char *cert, const char *key)
{
    return SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
}

static SSL_CTX *second, *expired;

static int on_name(SSL *ssl, int *, void *)
{
    const char *given = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const std::string name = given != nullptr ? given : "";
    if (name == "second.test")
        SSL_set_SSL_CTX(ssl, second);
    else if (name == "expired.test")
        SSL_set_SSL_CTX(ssl, expired);
    return SSL_TLSEXT_ERR_OK;
}

int main(int, char **argv)
{
    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<httplib::SSLServer>> servers;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    second = SSL_CTX_new(TLS_server_method());
    expired = SSL_CTX_new(TLS_server_method());
    if (!identify(second, argv[6], argv[5]) || !identify(expired, argv[7], argv[5]))
        return 1;
    for (int i = 0; i < 2; i++) {
        servers.push_back(std::make_unique<httplib::SSLServer>([&](SSL_CTX &ctx) {
            SSL_CTX_set_tlsext_servername_callback(&ctx, on_name);
            return identify(&ctx, argv[4], argv[5]) &&
                   SSL_CTX_set_min_proto_version(&ctx, versions[i]) == 1 &&
                   SSL_CTX_set_max_proto_version(&ctx, versions[i]) == 1;
        }));
        const int port = std::stoi(argv[2 + i]);
        threads.emplace_back([&servers, i, port] { serve(*servers[static_cast<size_t>(i)], port); });
    }
    httplib::Server plain;
    serve(plain, std::stoi(argv[1]));
    return 1;
}
