import CloudIdentity
import Cryptography
import HTTP
import TestSupport
import Testing

@Suite(.tags(.unit)) struct SigningTests {
    /// RFC 4231, cases 1, 2 and 6.
    @Test(arguments: [
        (
            String(repeating: "\u{0b}", count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "Jefe", "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        ("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
    func knownCodes(_ key: String, _ message: String, _ code: String) {
        #expect(Encoding.hexadecimal(HMAC.sha256(Array(message.utf8), key: Array(key.utf8))) == code)
    }

    /// The example of AWS's documentation of the signature's version 4.
    @Test func theExampleOfTheDocumentation() throws {
        let signer = SignatureV4(
            credentials: AWSCredentials(
                accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), region: "us-east-1",
            service: "iam")
        var headers: HTTPHeaders = ["Content-Type": "application/x-www-form-urlencoded; charset=utf-8"]
        signer.sign(
            "GET", try HTTPURL("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"), &headers,
            payload: SignatureV4.hash(""), at: 1_440_938_160)
        #expect(headers["X-Amz-Date"] == "20150830T123600Z")
        #expect(
            headers["Authorization"]
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
                + "SignedHeaders=content-type;host;x-amz-date, "
                + "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
    }

    @Test func opensslVerifiesOurSignatures() throws {
        let scratch = try TemporaryDirectory("rsa")
        for (name, make) in [
            ("new", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "new"]),
            ("old", ["rsa", "-in", "new", "-traditional", "-out", "old"]),
        ] {
            try Shell.run(["openssl"] + make, in: scratch.path)
            let pem = try Shell.run(["cat", scratch.file(name)]).stdout
            let signature = try RSAPrivateKey(pem: pem).signature(of: Array("header.claims".utf8))
            try Shell.run(["tee", scratch.file("signature")], input: signature)
            try Shell.run(["openssl", "rsa", "-in", name, "-pubout", "-out", "public"], in: scratch.path)
            let verified = try Shell.run(
                ["openssl", "dgst", "-sha256", "-verify", "public", "-signature", "signature"], in: scratch.path,
                input: Array("header.claims".utf8))
            #expect(verified.stdout.contains("Verified OK"))
        }
        try Shell.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec"],
            in: scratch.path)
        for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "\u{0}"] {
            #expect(throws: CryptographyError.self) { _ = try RSAPrivateKey(pem: text).signature(of: []) }
        }
        let ec = try Shell.run(["cat", scratch.file("ec")]).stdout
        #expect(throws: CryptographyError.self) { _ = try RSAPrivateKey(pem: ec).signature(of: []) }
    }
}
