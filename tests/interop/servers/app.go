// SPDX-License-Identifier: MIT
// The canned answers by Go's net/http. usage: app PLAIN TLS12 TLS13 CERT KEY SECOND EXPIRED
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const chat = `{"choices":[{"index":0,"message":{"content":"Grüße"},"finish_reason":"stop"}]}`
const models = `{"object":"list","data":[{"id":"canned"}]}`

func large() []byte {
	bytes := make([]byte, 1<<20)
	for i := range bytes {
		bytes[i] = byte(i * 7 % 251)
	}
	return bytes
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

func get(w http.ResponseWriter, name string) {
	switch name {
	case "models":
		answer(w, 200, []byte(models))
	case "large":
		answer(w, 200, large())
	case "large-chunked":
		bytes := large()
		for i := 0; i < len(bytes); i += 5000 {
			end := i + 5000
			if end > len(bytes) {
				end = len(bytes)
			}
			w.Write(bytes[i:end])
			w.(http.Flusher).Flush()
		}
	case "empty":
		w.WriteHeader(204)
	case "redirect":
		w.Header().Set("Location", "/v1/models")
		answer(w, 302, nil)
	case "close":
		w.Header().Set("Connection", "close")
		answer(w, 200, []byte(models))
	case "cut":
		w.Header().Set("Content-Length", "100000")
		w.Write(large()[:50000])
		panic(http.ErrAbortHandler)
	case "cut-chunked":
		w.Write(large()[:50000])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "until-close":
		w.Header().Set("Transfer-Encoding", "identity")
		io.WriteString(w, chat)
	case "interim":
		w.Header().Set("Link", "</x>; rel=preload")
		w.WriteHeader(103)
		answer(w, 200, []byte(models))
	case "trailers":
		w.Header().Set("Trailer", "X-Checksum")
		io.WriteString(w, chat)
		w.Header().Set("X-Checksum", "42")
	default:
		if status, err := strconv.Atoi(strings.TrimPrefix(name, "status/")); err == nil {
			if status == 429 {
				w.Header().Set("Retry-After", "7")
			}
			answer(w, status, []byte(fmt.Sprintf(`{"error":{"message":"canned %d"}}`, status)))
			return
		}
		answer(w, 404, []byte(models))
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/v1/")
	w.Header().Set("Content-Type", "application/json")
	if r.TLS != nil {
		w.Header().Set("X-Resumed", map[bool]string{true: "1", false: "0"}[r.TLS.DidResume])
	}
	if r.Method == "GET" {
		get(w, name)
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch name {
	case "stream":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; i < 20; i++ {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d \"}}]}\n\n", i)
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "data: [DONE]\n\n")
	case "chat":
		answer(w, 200, []byte(chat))
	default:
		answer(w, 200, []byte(fmt.Sprintf(`{"size":%d,"sha256":"%x"}`, len(body), sha256.Sum256(body))))
	}
}

func main() {
	handler := http.HandlerFunc(serve)
	quiet := log.New(io.Discard, "", 0)
	var certs []tls.Certificate
	for _, name := range []string{os.Args[4], os.Args[6], os.Args[7]} {
		cert, err := tls.LoadX509KeyPair(name, os.Args[5])
		if err != nil {
			log.Fatal(err)
		}
		certs = append(certs, cert)
	}
	for i, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := &http.Server{Addr: ":" + os.Args[2+i], Handler: handler, ErrorLog: quiet,
			TLSConfig: &tls.Config{MinVersion: version, MaxVersion: version, Certificates: certs}}
		go server.ListenAndServeTLS("", "")
	}
	server := &http.Server{Addr: ":" + os.Args[1], Handler: handler, ErrorLog: quiet}
	log.Fatal(server.ListenAndServe())
}
