import OCI
import TestSupport
import Testing

@Suite(.tags(.unit)) struct DigestTests {
    /// FIPS 180-4 examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func knownHashes(_ text: String, _ hash: String) throws {
        #expect(Digest.sha256(of: Array(text.utf8)).description == "sha256:\(hash)")
        var hasher = SHA256Hasher()
        for byte in text.utf8 { hasher.update([byte]) }
        let digest = hasher.finalize()
        #expect(digest == (try Digest("sha256:\(hash)")))
    }

    @Test func otherAlgorithms() throws {
        var hasher = DigestHasher(.sha512)
        hasher.update(Array("abc".utf8))
        let digest = hasher.finalize()
        #expect(digest.encoded.hasPrefix("ddaf35a193617abacc417349ae204131"))
        #expect(try Digest(digest.description) == digest)
    }

    @Test(arguments: [
        "", "sha256", "sha256:", "md5:00", ":00", "SHA256:00", "sha256:\(String(repeating: "g", count: 64))",
    ])
    func refused(_ text: String) {
        let error = #expect(throws: OCIError.self) { _ = try Digest(text) }
        #expect(error?.code == .invalidDigest)
    }
}

@Suite(.tags(.unit)) struct PlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("linux/x86_64", "linux/amd64"), ("Linux/AMD64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"), ("linux/arm64/v8", "linux/arm64"), ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"), ("linux/armel", "linux/arm/v6"), ("linux/arm/6", "linux/arm/v6"),
        ("arm64", "linux/arm64"), ("amd64", "linux/amd64"), ("windows/amd64", "windows/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
    ])
    func parsed(_ text: String, _ canonical: String) throws {
        #expect(try Platform(text).description == canonical)
    }

    @Test(arguments: ["", "/", "linux/", "a/b/c/d", "nonsense", "linux/am d64"])
    func refused(_ text: String) {
        #expect(throws: OCIError.self) { _ = try Platform(text) }
    }

    @Test func anOlderVariantRuns() throws {
        let v6 = Platform(os: "linux", architecture: "arm", variant: "v6")
        let v7 = Platform(os: "linux", architecture: "arm", variant: "v7")
        #expect(v6.matches(v7))
        #expect(!v7.matches(v6))
        #expect(v7.rank(for: v7) == 0)
        #expect(v6.rank(for: v7) == 1)
        #expect(try Platform("linux/amd64").matches(Platform("linux/amd64/v3")))
        #expect(try !Platform("linux/amd64/v3").matches(Platform("linux/amd64")))
        #expect(try !Platform("linux/amd64").matches(Platform("windows/amd64")))
    }
}

@Suite(.tags(.unit)) struct DocumentTests {
    @Test func jsonIsCanonical() throws {
        let manifest = Manifest(
            config: Descriptor(mediaType: .ociConfig, of: [1]), layers: [],
            annotations: ["b": "x/y", "a": "é\u{1}\"\\"])
        let text = String(decoding: try CanonicalJSON.encode(manifest), as: UTF8.self)
        let digest = Digest.sha256(of: [1])
        #expect(
            text
                == #"{"annotations":{"a":"é\u0001\"\\","b":"x/y"},"config":{"digest":"\#(digest)","#
                + #""mediaType":"application/vnd.oci.image.config.v1+json","size":1},"layers":[],"#
                + #""mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#)
    }

    @Test func configSurvives() throws {
        let text = """
            {"architecture":"amd64","config":{"ArgsEscaped":true,"Cmd":["sh"],"Entrypoint":["/e"],"Env":["A=1"],\
            "ExposedPorts":{"53/udp":{},"80/tcp":{}},"Healthcheck":{"Interval":1000,"Test":["CMD","x"]},\
            "Labels":{"a":"b"},"OnBuild":["RUN x"],"Shell":["/bin/sh"],"StopSignal":"SIGTERM","User":"1000",\
            "Volumes":{"/data":{}},"WorkingDir":"/srv"},"created":"2024-01-01T00:00:00.123456789Z",\
            "history":[{"created_by":"x","empty_layer":true}],"os":"linux",\
            "rootfs":{"diff_ids":["\(Digest.sha256(of: [1]))"],"type":"layers"}}
            """
        let config = try CanonicalJSON.decode(ImageConfig.self, from: Array(text.utf8))
        #expect(config.config.exposedPorts == ["80/tcp", "53/udp"])
        #expect(String(decoding: try CanonicalJSON.encode(config), as: UTF8.self) == text)
    }

    @Test func nullsAndGapsAreRead() throws {
        let text =
            #"{"config":{"Env":null,"Volumes":null,"Labels":null},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#
        let config = try CanonicalJSON.decode(ImageConfig.self, from: Array(text.utf8))
        #expect(config.config == ContainerConfig())
        #expect(config.rootfs.diffIDs.isEmpty)
        #expect(try CanonicalJSON.decode(ImageConfig.self, from: Array("{}".utf8)).history.isEmpty)
    }

    @Test func errorsSayWhere() throws {
        let text = #"{"config":{"mediaType":"a","digest":"sha256:0","size":1},"layers":[]}"#
        let error = #expect(throws: OCIError.self) {
            _ = try CanonicalJSON.decode(Manifest.self, from: Array(text.utf8))
        }
        #expect(error?.cause?.hasPrefix("'config.digest'") == true)
    }

    @Test(arguments: [
        "", "[", "{", "nul", #"{"config":1}"#, #"{"layers":"x"}"#, #"{"config":{"size":1e400}}"#,
        #"{"config":{"mediaType":"a","digest":"sha256:0","size":99999999999999999999}}"#, "\u{0}",
    ])
    func garbageIsRefused(_ text: String) {
        #expect(throws: OCIError.self) { _ = try CanonicalJSON.decode(Manifest.self, from: Array(text.utf8)) }
    }

    @Test func deepNestingIsRefused() {
        let text = #"{"annotations":"# + String(repeating: "[", count: 200_000)
        #expect(throws: OCIError.self) { _ = try CanonicalJSON.decode(Manifest.self, from: Array(text.utf8)) }
    }

    @Test func mediaTypes() {
        #expect(MediaType.ociLayerZstd.compression == .zstd)
        #expect(MediaType.dockerLayerGzip.compression == .gzip)
        #expect(MediaType.dockerLayer.compression == MediaType.Compression.none)
        #expect(MediaType.dockerForeignLayer.isLayer && MediaType.dockerForeignLayer.isForeignLayer)
        #expect(MediaType(header: "application/vnd.oci.image.index.v1+json; charset=utf-8") == .ociIndex)
        #expect(MediaType.dockerManifestList.isIndex && !MediaType.dockerManifestList.isManifest)
    }
}
