package import Telemetry

/// Every metric of the agent. docs/metrics.md tells the same to people; a test compares the two.
///
/// Labels have few values, or are names that the operator's configuration has. What a repository's own files can choose (pipelines,
/// steps) is no label, with one exception that has a bound: ``FollowedImageAges``.
package enum MetricTable {
    package static let families: [MetricFamily] =
        cycles + builds + repositories + images + triggers + replicas + process + former

    /// Seconds; a cycle that finds nothing takes tenths of a second.
    private static let cycleBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60]
    /// Seconds, from a rebuild that is cached to an hour.
    private static let buildBuckets: [Double] = [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600]
    /// Seconds.
    private static let shortBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

    private static let cycles = [
        MetricFamily(
            "slipway_cycles_total", .counter, labels: ["repository", "result"],
            help: "Reconcile cycles, by repository and result: success, failure."),
        MetricFamily(
            "slipway_cycle_seconds", .histogram(buckets: cycleBuckets), labels: ["repository"],
            help: "Duration of reconcile cycles, by repository."),
        MetricFamily(
            "slipway_phase_seconds_total", .counter, labels: ["phase"],
            help: "Time spent in each phase of the cycles and builds, by phase."),
        MetricFamily(
            "slipway_failures_total", .counter, labels: ["repository", "phase"],
            help: "Failures, by repository and phase."),
    ]

    private static let builds = [
        MetricFamily(
            "slipway_builds_total", .counter, labels: ["repository", "result"],
            help: "Builds that ended, by repository and result: success, failure, cancelled."),
        MetricFamily(
            "slipway_build_seconds", .histogram(buckets: buildBuckets), labels: ["result"],
            help:
                "Duration of builds, without the wait for their turn and the push, by result: success, failure, cancelled."
        ),
        MetricFamily(
            "slipway_push_seconds", .histogram(buckets: shortBuckets), labels: ["result"],
            help:
                "Time from the end of a build until all names of its image are in the registry, by result: success, failure, cancelled."
        ),
        MetricFamily(
            "slipway_build_queue_wait_seconds", .histogram(buckets: buildBuckets),
            help: "Time that builds waited for their turn."),
        MetricFamily(
            "slipway_build_queue_length", .gauge, labels: ["state"],
            help: "Builds in the queue, by state: waiting, running."),
        MetricFamily(
            "slipway_images_built_total", .counter, labels: ["repository"],
            help: "Images built and pushed, by repository."),
        MetricFamily(
            "slipway_cache_size_bytes", .gauge,
            help:
                "Disk space that the build cache takes, as of the last time that it was tidied: every ten minutes at most."
        ),
        MetricFamily(
            "slipway_cache_limit_bytes", .gauge,
            help: "Disk space that the build cache may take (builds.cacheSize)."),
    ]

    private static let repositories = [
        MetricFamily(
            "slipway_repository_up", .gauge, labels: ["repository"],
            help: "1 if the last cycle of a repository had no failure, else 0."),
        MetricFamily(
            "slipway_repository_state", .gauge, labels: ["repository", "state"],
            help:
                "1 for the state that a repository is in: starting, ok, building, failing, stalled, held, paused. The other states have no series."
        ),
        MetricFamily(
            "slipway_last_success_timestamp_seconds", .gauge, labels: ["repository"],
            help: "End of the last cycle without a failure, by repository, in seconds since 1970."),
        MetricFamily(
            "slipway_repository_failing_since_timestamp_seconds", .gauge, labels: ["repository"],
            help:
                "Since when every cycle of a repository has failed in the same way, in seconds since 1970; absent while it does not fail."
        ),
        MetricFamily(
            "slipway_held_updates", .gauge, labels: ["repository"],
            help: "Updates held back because a person took an earlier one back, by repository."),
    ]

    private static let images = [
        MetricFamily(
            "slipway_updates_total", .counter, labels: ["repository"],
            help: "Image references rewritten, by repository."),
        MetricFamily(
            "slipway_commits_total", .counter, labels: ["repository"], help: "Commits pushed, by repository."),
        MetricFamily(
            "slipway_followed_images", .gauge, labels: ["repository"],
            help: "Image repositories that the manifests of a repository follow."),
        MetricFamily(
            "slipway_image_age_seconds", .age, labels: ["repository", "image"],
            help:
                "Time since the image was created that a repository's manifests run, the oldest where they run several; absent while the creation time is unknown."
        ),
    ]

    private static let triggers = [
        MetricFamily(
            "slipway_webhook_requests_total", .counter, labels: ["receiver", "result"],
            help:
                "Requests to webhook receivers, by receiver and result: accepted, ignored, repeated, refused, limited, unavailable, forwarded (taken by a standby for the leader)."
        ),
        MetricFamily(
            "slipway_webhook_cycle_seconds", .histogram(buckets: shortBuckets),
            help: "Time from the arrival of a webhook to the end of the cycle that it began."),
        MetricFamily(
            "slipway_notifications_total", .counter, labels: ["channel", "outcome"],
            help: "Notifications, by channel and outcome: delivered, retried, failed, dropped."),
        MetricFamily(
            "slipway_reloads_total", .counter, labels: ["result"],
            help: "Reloads of the configuration, by result: success, failure."),
    ]

    private static let replicas = [
        MetricFamily(
            "slipway_leader", .gauge,
            help: "1 if this replica leads, 0 if it is a standby; 1 where there is no leader election."),
        MetricFamily(
            "slipway_leader_changes_total", .counter,
            help: "Changes of the replica that leads, as far as this one saw them."),
        MetricFamily(
            "slipway_webhooks_handed_over_total", .counter, labels: ["result"],
            help: "Webhooks that a standby took for the leader, by result: delivered, dropped."),
    ]

    private static let process = [
        MetricFamily(
            "slipway_trace_spans_total", .counter, labels: ["result"],
            help:
                "Spans of traces, by result: exported, dropped (no room, or the collector is away), rejected (by the collector)."
        ),
        MetricFamily("slipway_build_info", .info, labels: ["version"], help: "The running version of Slipway."),
        MetricFamily(
            "process_start_time_seconds", .gauge, help: "Start time of the process, in seconds since 1970."),
        MetricFamily("process_cpu_seconds_total", .counter, help: "User and system CPU time of the process."),
        MetricFamily("process_resident_memory_bytes", .gauge, help: "Resident memory of the process."),
        MetricFamily("process_open_fds", .gauge, help: "Open file descriptors of the process."),
        MetricFamily("process_max_fds", .gauge, help: "File descriptors that the process may have open."),
    ]

    /// The names of the version before, which scripts may use.
    private static let former = [
        MetricFamily(
            "slipway_webhook_cycles_total", .counter,
            help: "Deprecated: use slipway_webhook_cycle_seconds_count. Cycles that webhooks began.",
            replacedBy: "slipway_webhook_cycle_seconds"),
        MetricFamily(
            "slipway_webhook_latency_seconds_total", .counter,
            help:
                "Deprecated: use slipway_webhook_cycle_seconds_sum. Time from the arrival of a webhook to the end of the cycle that it began.",
            replacedBy: "slipway_webhook_cycle_seconds"),
    ]
}
