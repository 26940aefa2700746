import TestSupport
import Testing

@testable import ObjectStorage

@Suite(.tags(.unit)) struct ObjectLocationTests {
    @Test(arguments: [
        ("s3://bucket/key.tar.gz", ObjectLocation.Service.s3(bucket: "bucket", key: "key.tar.gz")),
        ("s3://bucket/a/b c.tar.gz", .s3(bucket: "bucket", key: "a/b c.tar.gz")),
        ("s3://bucket", .s3(bucket: "bucket", key: "context.tar.gz")),
        ("s3://bucket/", .s3(bucket: "bucket", key: "context.tar.gz")),
        ("gs://bucket.example.com/x//y", .google(bucket: "bucket.example.com", key: "x//y")),
        (
            "https://acme.blob.core.windows.net/box/x.tar.gz?sv=2021&sig=abc%2B",
            .azure(
                account: "acme", origin: "https://acme.blob.core.windows.net:443", path: "/box/x.tar.gz",
                query: "sv=2021&sig=abc%2B")
        ),
    ])
    func reads(_ text: String, _ service: ObjectLocation.Service) throws {
        let location = try ObjectLocation(text)
        #expect(location.service == service)
        #expect(!location.description.contains("sig="))
    }

    @Test(arguments: [
        "s3://", "s3:///key", "gs://a b/x", "s3://b\u{0}/x", "s3://b/\n", "https://acme.blob.core.windows.net/box",
    ])
    func refuses(_ text: String) {
        #expect(throws: ObjectStorageError.self) { try ObjectLocation(text) }
    }

    @Test func encodesKeys() {
        #expect(ObjectLocation.encoded("a b/ü+?/&.tar") == "a%20b/%C3%BC%2B%3F/%26.tar")
    }
}
