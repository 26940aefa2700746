import Foundation
import HTTP
import TestSupport
import Testing

@testable import Agent

/// The search of the header, and what a page that is not there says of its neighbours.
@Suite(.tags(.integration)) struct SearchTests {
    private static let digest = "sha256:" + String(repeating: "b3894cce", count: 8)

    private static func filled() async throws -> (PageBench, BuildRecord) {
        let bench = try await PageBench()
        let build = try PageFixtures.build(7, .succeeded) { build in
            build.digest = digest
            build.description.revision = "aaaa82f00d1c0ffee00000000000000000000bb"
        }
        bench.agent.show([build], log: "")
        bench.agent.show([
            PageFixtures.status("shop", .ok), PageFixtures.status("shop-docs", .ok),
            PageFixtures.status("payments", .ok) { $0.head = "cccc82f00d1c0ffee00000000000000000000bb" },
        ])
        return (bench, build)
    }

    @Test(arguments: [
        ("payments", "/repositories/payments"), ("git.example.com/acme/paym", "/repositories/payments"),
        ("20261130", "/builds/20261130082800-00007-7k3f9x"), ("AAAA82F", "/builds/20261130082800-00007-7k3f9x"),
        ("cccc82f", "/repositories/payments"), ("b3894c", "/images/sha256%3A"), ("sha256:b38", "/images/sha256%3A"),
        ("v47", "/images/sha256%3A"), ("shop:v4", "/images/sha256%3A"), (" v47 ", "/images/sha256%3A"),
    ])
    func `one thing that is found is gone to`(_ text: String, _ address: String) async throws {
        let (bench, _) = try await Self.filled()
        let query = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let answer = try await bench.get("/search?q=\(query)")
        // The client follows, as browsers do.
        #expect("\(answer.head.url)".hasPrefix(bench.url + address), "\(answer.head.url)")
        await bench.stop()
    }

    @Test func `several are listed, the one of that name first; none says what could be found`() async throws {
        let (bench, _) = try await Self.filled()
        let page = try await bench.page("/search?q=shop")
        let order = ["/repositories/shop\"", "/repositories/shop-docs\""].compactMap { page.range(of: $0)?.lowerBound }
        #expect(order.count == 2 && order == order.sorted() && page.contains("2 things are called &#39;shop&#39;."))
        #expect(page.contains("value=\"shop\""))
        for text in ["", "aaa", "47", "zzzzzz"] {
            let none = try await bench.get("/search?q=\(text)")
            #expect(none.status == 200, "\(text)")
            #expect(String(decoding: none.body, as: UTF8.self).contains("by how they begin"), "\(text)")
        }
        await bench.stop()
    }

    @Test(arguments: [
        ("/repositories/shp", "href=\"/repositories/shop\""),
        ("/repositories/docs", "href=\"/repositories/shop-docs\""),
        ("/builds/20261130082800-99999-7k3f9x", "href=\"/builds/20261130082800-00007-7k3f9x\""),
        ("/images/registry.example.com%2Facme%2Fshop%3Av12", "registry.example.com/acme/shop:v47"),
    ])
    func `what is not there has neighbours`(_ path: String, _ neighbour: String) async throws {
        let (bench, _) = try await Self.filled()
        let answer = try await bench.get(path)
        let page = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == 404 && page.contains("Near it") && page.contains(neighbour), "\(page.suffix(2_000))")
        #expect(!(try await bench.page("/repositories/zzzzzz")).contains("Near it"))
        await bench.stop()
    }

    @Test func `the header says how steps are isolated and since when the agent runs`() async throws {
        let bench = try await PageBench()
        let page = try await bench.page("/")
        #expect(page.contains("<dd title=\"How RUN steps are isolated\">namespaces</dd>"))
        #expect(page.contains("<dt>Running</dt>") && page.contains("1 building, 0 waiting"))
        #expect(page.contains("action=\"/search\""))
        await bench.stop()
    }
}
