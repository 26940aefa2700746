import Agent
import Foundation
import OCI
import TestSupport
import Testing

@testable import CommandLine

@Suite(.tags(.unit)) struct DoctorTextTests {
    private static let report = DoctorReport(findings: [
        DoctorFinding(.stateDirectory, .ok, "/var/lib/slipway can be written"),
        DoctorFinding(
            .namespaces, .note, "no isolation by namespaces", cause: "Operation not permitted",
            hint: "in the pod, securityContext.seccompProfile.type: Unconfined"),
        DoctorFinding(.subordinateIDs, .warning, "steps have a single user id"),
    ])

    @Test func `a line for each finding, its cause and what to change below it`() {
        #expect(
            DoctorText(Self.report).lines == [
                "ok      state-directory  /var/lib/slipway can be written",
                "note    namespaces       no isolation by namespaces",
                "        cause: Operation not permitted",
                "        change: in the pod, securityContext.seccompProfile.type: Unconfined",
                "warning subordinate-ids  steps have a single user id",
                "",
                "Slipway can work here, with 1 warning.",
            ])
    }

    @Test(
        arguments: [
            ([], "Slipway can work here."), ([.note], "Slipway can work here."),
            ([.warning, .warning], "Slipway can work here, with 2 warnings."),
            ([.error, .warning], "Slipway cannot work here: 1 error."),
        ] as [([DoctorFinding.Status], String)])
    func `the last line sums up`(statuses: [DoctorFinding.Status], line: String) {
        let report = DoctorReport(findings: statuses.map { DoctorFinding(.isolation, $0, "x") })
        #expect(DoctorText(report).lines.last == line)
        #expect(report.isHealthy == !statuses.contains(.error))
    }

    @Test func `JSON has every finding with its code`() throws {
        let text = String(decoding: try CanonicalJSON.encode(DoctorDocument(Self.report)), as: UTF8.self)
        #expect(
            text.contains(
                #"{"cause":"Operation not permitted","change":"in the pod, securityContext.seccompProfile.type: Unconfined","code":"namespaces","message":"no isolation by namespaces","status":"note"}"#
            ))
        #expect(text.contains(#""healthy":true"#))
    }
}
