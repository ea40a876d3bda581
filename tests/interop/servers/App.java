// SPDX-License-Identifier: MIT
// The canned answers by Jetty. usage: App PLAIN TLS12 TLS13 CERT KEY SECOND EXPIRED
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Map;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.server.handler.AbstractHandler;
import org.eclipse.jetty.util.ssl.SslContextFactory;

public class App extends AbstractHandler {
    static final byte[] CHAT = bytes(
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Grüße\"},\"finish_reason\":\"stop\"}]}");
    static final byte[] MODELS = bytes("{\"object\":\"list\",\"data\":[{\"id\":\"canned\"}]}");
    static final byte[] LARGE = new byte[1 << 20];
    static final String JSON = "application/json";

    static {
        for (int i = 0; i < LARGE.length; i++)
            LARGE[i] = (byte) (i * 7L % 251);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void answer(HttpServletResponse res, int status, byte[] body) throws IOException {
        res.setStatus(status);
        res.setContentLength(body.length);
        res.getOutputStream().write(body);
    }

    /** Of what was begun, the end never comes: the connection is closed. */
    static void cut(Request base, HttpServletResponse res) throws IOException {
        res.getOutputStream().write(LARGE, 0, 50000);
        res.flushBuffer();
        base.getHttpChannel().abort(new IOException("cut"));
    }

    static void get(String name, Request base, HttpServletResponse res) throws IOException {
        OutputStream out = res.getOutputStream();
        if (name.startsWith("status/")) {
            int status = Integer.parseInt(name.substring(7));
            if (status == 429)
                res.setHeader("Retry-After", "7");
            answer(res, status, bytes("{\"error\":{\"message\":\"canned " + status + "\"}}"));
        } else if (name.equals("large")) {
            answer(res, 200, LARGE);
        } else if (name.equals("large-chunked")) {
            for (int i = 0; i < LARGE.length; i += 5000) {
                out.write(LARGE, i, Math.min(5000, LARGE.length - i));
                res.flushBuffer();
            }
        } else if (name.equals("empty")) {
            res.setStatus(204);
        } else if (name.equals("redirect")) {
            res.sendRedirect("/v1/models");
        } else if (name.equals("close")) {
            res.setHeader("Connection", "close");
            answer(res, 200, MODELS);
        } else if (name.equals("cut")) {
            res.setContentLength(100000);
            cut(base, res);
        } else if (name.equals("cut-chunked")) {
            cut(base, res);
        } else if (name.equals("until-close")) {
            res.setHeader("Connection", "close");
            out.write(CHAT, 0, 9);
            res.flushBuffer();
            out.write(CHAT, 9, CHAT.length - 9);
        } else if (name.equals("interim")) {
            ((Response) res).sendProcessing();
            answer(res, 200, MODELS);
        } else if (name.equals("trailers")) {
            res.setHeader("Trailer", "X-Checksum");
            ((Response) res).setTrailerFields(() -> Map.of("X-Checksum", "42"));
            out.write(CHAT);
            res.flushBuffer();
        } else {
            answer(res, name.equals("models") ? 200 : 404, MODELS);
        }
    }

    static void post(String name, HttpServletRequest req, HttpServletResponse res)
            throws Exception {
        byte[] body = req.getInputStream().readAllBytes();
        if (name.equals("stream")) {
            res.setContentType("text/event-stream");
            for (int i = 0; i < 20; i++) {
                res.getOutputStream().write(bytes("data: {\"choices\":[{\"index\":0,\"delta\":"
                    + "{\"content\":\"" + i + " \"}}]}\n\n"));
                res.flushBuffer();
            }
            res.getOutputStream().write(bytes("data: [DONE]\n\n"));
        } else if (name.equals("chat")) {
            answer(res, 200, CHAT);
        } else {
            StringBuilder hex = new StringBuilder();
            for (byte one : MessageDigest.getInstance("SHA-256").digest(body))
                hex.append(String.format("%02x", one));
            answer(res, 200, bytes("{\"size\":" + body.length + ",\"sha256\":\"" + hex + "\"}"));
        }
    }

    @Override
    public void handle(String target, Request base, HttpServletRequest req,
                       HttpServletResponse res) throws IOException {
        String name = target.replaceFirst("^/v1/", "");
        base.setHandled(true);
        res.setContentType(JSON);
        try {
            if (req.getMethod().equals("POST"))
                post(name, req, res);
            else
                get(name, base, res);
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }

    static KeyStore identities(String key, String... certs) throws Exception {
        String pem = Files.readString(Path.of(key)).replaceAll("-----.*-----|\\s", "");
        PrivateKey secret = KeyFactory.getInstance("RSA")
            .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        for (String name : certs) {
            try (InputStream in = Files.newInputStream(Path.of(name))) {
                Certificate cert = CertificateFactory.getInstance("X.509").generateCertificate(in);
                keys.setKeyEntry(name, secret, new char[0], new Certificate[] {cert});
            }
        }
        return keys;
    }

    static void listen(Server server, String port, SslConnectionFactory tls) {
        HttpConfiguration config = new HttpConfiguration();
        config.addCustomizer(new SecureRequestCustomizer(false)); // no check of SNI of its own
        HttpConnectionFactory http = new HttpConnectionFactory(config);
        ServerConnector connector = tls == null ? new ServerConnector(server, http)
                                                : new ServerConnector(server, tls, http);
        connector.setPort(Integer.parseInt(port));
        server.addConnector(connector);
    }

    public static void main(String[] args) throws Exception {
        System.setProperty("org.eclipse.jetty.LEVEL", "WARN");
        Server server = new Server();
        server.setHandler(new App());
        KeyStore keys = identities(args[4], args[3], args[5], args[6]);
        for (int i = 0; i < 2; i++) {
            SslContextFactory.Server context = new SslContextFactory.Server();
            context.setKeyStore(keys);
            context.setKeyStorePassword("");
            context.setCertAlias(args[3]); // of who names nobody
            context.setIncludeProtocols(i == 0 ? "TLSv1.2" : "TLSv1.3");
            listen(server, args[1 + i], new SslConnectionFactory(context, "http/1.1"));
        }
        listen(server, args[0], null);
        server.start();
        server.join();
    }
}
