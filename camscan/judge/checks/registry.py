"""Which checks are there, in which order are they printed, and which factor does each set?"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from camscan.judge.answer import Answer
from camscan.judge.checks import (
    anpr_active,
    anpr_capability,
    attribute_analytics,
    audio_capability,
    cloud_configured,
    cloud_operator_cn_group,
    coverage,
    default_infra_cn,
    device_not_activated,
    egress_observed,
    endpoint_located_cn,
    face_active,
    face_capability,
    face_detection,
    firmware_outdated,
    hidden_cameras,
    inventory_delta,
    login_absent,
    media_egress,
    p2p_enabled,
    platform_link,
    rebrand_oem,
    remote_access_open,
    segmentation,
    single_vendor_stack,
    site_sensitivity,
    support_ended,
    tls_weak,
    transport_clear,
    transport_encrypted,
    update_channel,
    vendor_group_cn,
    vendor_identity,
    vuln_kev,
    vuln_known,
)
from camscan.judge.checks.documents import DOCUMENTS, declared_document
from camscan.judge.checks.documents import NEEDS as DOCUMENT_NEEDS
from camscan.judge.subject import SiteSubject, Subject


class DeviceCheck(Struct, frozen=True):
    """A check that answers for one device."""

    condition: str
    title: str
    """The good condition in one sentence."""
    question: str
    needs: tuple[str, ...]
    check: Callable[[Subject], Answer | None]
    """None: the question does not arise for this device."""
    factor: str = ""


class SiteCheck(Struct, frozen=True):
    """A check that answers for all devices together; its finding has no action."""

    condition: str
    title: str
    question: str
    needs: tuple[str, ...]
    check: Callable[[SiteSubject], Answer | None]
    factor: str = ""


DEVICE_CHECKS: tuple[DeviceCheck, ...] = (
    DeviceCheck(
        vendor_identity.CONDITION,
        vendor_identity.TITLE,
        vendor_identity.QUESTION,
        vendor_identity.NEEDS,
        vendor_identity.check,
        "J",
    ),
    DeviceCheck(
        vendor_group_cn.CONDITION,
        vendor_group_cn.TITLE,
        vendor_group_cn.QUESTION,
        vendor_group_cn.NEEDS,
        vendor_group_cn.check,
        "J",
    ),
    DeviceCheck(
        rebrand_oem.CONDITION,
        rebrand_oem.TITLE,
        rebrand_oem.QUESTION,
        rebrand_oem.NEEDS,
        rebrand_oem.check,
        "",
    ),
    DeviceCheck(
        cloud_configured.CONDITION,
        cloud_configured.TITLE,
        cloud_configured.QUESTION,
        cloud_configured.NEEDS,
        cloud_configured.check,
        "D",
    ),
    DeviceCheck(
        p2p_enabled.CONDITION,
        p2p_enabled.TITLE,
        p2p_enabled.QUESTION,
        p2p_enabled.NEEDS,
        p2p_enabled.check,
        "D",
    ),
    DeviceCheck(
        default_infra_cn.CONDITION,
        default_infra_cn.TITLE,
        default_infra_cn.QUESTION,
        default_infra_cn.NEEDS,
        default_infra_cn.check,
        "",
    ),
    DeviceCheck(
        update_channel.CONDITION,
        update_channel.TITLE,
        update_channel.QUESTION,
        update_channel.NEEDS,
        update_channel.check,
        "",
    ),
    DeviceCheck(
        egress_observed.CONDITION,
        egress_observed.TITLE,
        egress_observed.QUESTION,
        egress_observed.NEEDS,
        egress_observed.check,
        "D",
    ),
    DeviceCheck(
        media_egress.CONDITION,
        media_egress.TITLE,
        media_egress.QUESTION,
        media_egress.NEEDS,
        media_egress.check,
        "D",
    ),
    DeviceCheck(
        endpoint_located_cn.CONDITION,
        endpoint_located_cn.TITLE,
        endpoint_located_cn.QUESTION,
        endpoint_located_cn.NEEDS,
        endpoint_located_cn.check,
        "J",
    ),
    DeviceCheck(
        cloud_operator_cn_group.CONDITION,
        cloud_operator_cn_group.TITLE,
        cloud_operator_cn_group.QUESTION,
        cloud_operator_cn_group.NEEDS,
        cloud_operator_cn_group.check,
        "J",
    ),
    DeviceCheck(
        platform_link.CONDITION,
        platform_link.TITLE,
        platform_link.QUESTION,
        platform_link.NEEDS,
        platform_link.check,
        "",
    ),
    DeviceCheck(
        segmentation.CONDITION,
        segmentation.TITLE,
        segmentation.QUESTION,
        segmentation.NEEDS,
        segmentation.check,
        "C",
    ),
    DeviceCheck(
        firmware_outdated.CONDITION,
        firmware_outdated.TITLE,
        firmware_outdated.QUESTION,
        firmware_outdated.NEEDS,
        firmware_outdated.check,
        "T",
    ),
    DeviceCheck(
        vuln_known.CONDITION,
        vuln_known.TITLE,
        vuln_known.QUESTION,
        vuln_known.NEEDS,
        vuln_known.check,
        "T",
    ),
    DeviceCheck(
        vuln_kev.CONDITION, vuln_kev.TITLE, vuln_kev.QUESTION, vuln_kev.NEEDS, vuln_kev.check, "T"
    ),
    DeviceCheck(
        support_ended.CONDITION,
        support_ended.TITLE,
        support_ended.QUESTION,
        support_ended.NEEDS,
        support_ended.check,
        "T",
    ),
    DeviceCheck(
        transport_clear.CONDITION,
        transport_clear.TITLE,
        transport_clear.QUESTION,
        transport_clear.NEEDS,
        transport_clear.check,
        "T",
    ),
    DeviceCheck(
        transport_encrypted.CONDITION,
        transport_encrypted.TITLE,
        transport_encrypted.QUESTION,
        transport_encrypted.NEEDS,
        transport_encrypted.check,
        "",
    ),
    DeviceCheck(
        login_absent.CONDITION,
        login_absent.TITLE,
        login_absent.QUESTION,
        login_absent.NEEDS,
        login_absent.check,
        "T",
    ),
    DeviceCheck(
        tls_weak.CONDITION, tls_weak.TITLE, tls_weak.QUESTION, tls_weak.NEEDS, tls_weak.check, "T"
    ),
    DeviceCheck(
        remote_access_open.CONDITION,
        remote_access_open.TITLE,
        remote_access_open.QUESTION,
        remote_access_open.NEEDS,
        remote_access_open.check,
        "T",
    ),
    DeviceCheck(
        device_not_activated.CONDITION,
        device_not_activated.TITLE,
        device_not_activated.QUESTION,
        device_not_activated.NEEDS,
        device_not_activated.check,
        "T",
    ),
    DeviceCheck(
        face_capability.CONDITION,
        face_capability.TITLE,
        face_capability.QUESTION,
        face_capability.NEEDS,
        face_capability.check,
        "",
    ),
    DeviceCheck(
        face_active.CONDITION,
        face_active.TITLE,
        face_active.QUESTION,
        face_active.NEEDS,
        face_active.check,
        "P",
    ),
    DeviceCheck(
        face_detection.CONDITION,
        face_detection.TITLE,
        face_detection.QUESTION,
        face_detection.NEEDS,
        face_detection.check,
        "",
    ),
    DeviceCheck(
        anpr_capability.CONDITION,
        anpr_capability.TITLE,
        anpr_capability.QUESTION,
        anpr_capability.NEEDS,
        anpr_capability.check,
        "",
    ),
    DeviceCheck(
        anpr_active.CONDITION,
        anpr_active.TITLE,
        anpr_active.QUESTION,
        anpr_active.NEEDS,
        anpr_active.check,
        "P",
    ),
    DeviceCheck(
        attribute_analytics.CONDITION,
        attribute_analytics.TITLE,
        attribute_analytics.QUESTION,
        attribute_analytics.NEEDS,
        attribute_analytics.check,
        "",
    ),
    DeviceCheck(
        audio_capability.CONDITION,
        audio_capability.TITLE,
        audio_capability.QUESTION,
        audio_capability.NEEDS,
        audio_capability.check,
        "",
    ),
    DeviceCheck(
        hidden_cameras.CONDITION,
        hidden_cameras.TITLE,
        hidden_cameras.QUESTION,
        hidden_cameras.NEEDS,
        hidden_cameras.check,
        "",
    ),
)
SITE_CHECKS: tuple[SiteCheck, ...] = (
    SiteCheck(
        inventory_delta.CONDITION,
        inventory_delta.TITLE,
        inventory_delta.QUESTION,
        inventory_delta.NEEDS,
        inventory_delta.check,
        "",
    ),
    SiteCheck(
        single_vendor_stack.CONDITION,
        single_vendor_stack.TITLE,
        single_vendor_stack.QUESTION,
        single_vendor_stack.NEEDS,
        single_vendor_stack.check,
        "",
    ),
    SiteCheck(
        coverage.CONDITION, coverage.TITLE, coverage.QUESTION, coverage.NEEDS, coverage.check, ""
    ),
    SiteCheck(
        site_sensitivity.CONDITION,
        site_sensitivity.TITLE,
        site_sensitivity.QUESTION,
        site_sensitivity.NEEDS,
        site_sensitivity.check,
        "P",
    ),
    *(
        SiteCheck(condition, title, question, DOCUMENT_NEEDS, declared_document(condition))
        for condition, title, question in DOCUMENTS
    ),
)
